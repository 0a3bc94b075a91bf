#include "saga/runtime/failpoints.hpp"

#ifdef SAGA_FAILPOINTS

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstdlib>
#include <saga/error.hpp>

#include "saga/store/failpoint.hpp"

namespace saga::runtime {
namespace {

using store::Failpoint;
using store::kFailpoints;

enum class Way : std::uint8_t { kill, pause, eio };
struct Armed {
    std::size_t place = kFailpoints.size();  // none
    Way way = Way::kill;
    std::string said;
};
Armed armed;
std::atomic<int> left{0};

bool strike(Failpoint place) {
    if (static_cast<std::size_t>(place) != armed.place || left.fetch_sub(1) != 1) return false;
    // One call, which takes no lock: the process may stand anywhere.
    [[maybe_unused]] const ssize_t said =
        ::write(STDERR_FILENO, armed.said.data(), armed.said.size());
    if (armed.way == Way::kill) ::kill(::getpid(), SIGKILL);
    if (armed.way == Way::pause) ::kill(::getpid(), SIGSTOP);
    return armed.way == Way::eio;
}

int number(std::string_view text) {
    int value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

}  // namespace

void arm_failpoints() {
    const char* variable = std::getenv("SAGA_FAILPOINT");
    if (variable == nullptr || *variable == '\0') return;
    const std::string_view text = variable;
    const auto first = text.find(':'), second = text.rfind(':');
    const std::string_view name = text.substr(0, first), way = text.substr(second + 1);
    const auto found = std::find(kFailpoints.begin(), kFailpoints.end(), name);
    const bool known = way == "kill" || way == "pause" || way == "eio";
    if (first == second || found == kFailpoints.end() || !known)
        throw Error(fmt::format("SAGA_FAILPOINT={} is no name:n:kill, :pause or :eio", text));
    armed.place = static_cast<std::size_t>(found - kFailpoints.begin());
    armed.way = way == "kill" ? Way::kill : way == "pause" ? Way::pause : Way::eio;
    armed.said = fmt::format("failpoint {} {}\n", name, way);
    left = std::max(1, number(text.substr(first + 1, second - first - 1)));
    store::on_failpoint = &strike;
}

std::string failpoint_names() {
    std::string names;
    for (const std::string_view name : kFailpoints) names += fmt::format("{}\n", name);
    return names;
}

std::chrono::milliseconds shortened_deadline(std::chrono::milliseconds deadline) {
    const char* variable = std::getenv("SAGA_DEADLINE_MS");
    const int most = variable == nullptr ? 0 : number(variable);
    return most > 0 ? std::min(deadline, std::chrono::milliseconds(most)) : deadline;
}

}  // namespace saga::runtime

#endif
