#include "tests/fuzz/targets.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>

namespace saga::fuzz {
namespace {

constexpr std::array kTargets{
    Target{"answer", answer},   Target{"bank", bank},         Target{"broker", broker},
    Target{"config", config},   Target{"contract", contract}, Target{"csv", csv_text},
    Target{"decoded", decoded}, Target{"envelope", envelope}, Target{"event", event},
    Target{"import", import},   Target{"message", message},   Target{"request", request},
    Target{"schema", schema},   Target{"subject", subject},   Target{"words", words},
};

}  // namespace

std::span<const Target> targets() {
    return kTargets;
}

const Target* find(std::string_view name) {
    const auto found = std::find_if(kTargets.begin(), kTargets.end(),
                                    [&](const Target& each) { return each.name == name; });
    return found == kTargets.end() ? nullptr : &*found;
}

void must(bool holds, std::string_view what) {
    if (holds) return;
    std::fprintf(stderr, "fuzz: %.*s\n", static_cast<int>(what.size()), what.data());
    std::abort();
}

std::uint8_t Input::byte() {
    if (bytes_.empty()) return 0;
    const auto value = std::to_integer<std::uint8_t>(bytes_.front());
    bytes_ = bytes_.subspan(1);
    return value;
}

std::string_view Input::line() {
    const std::string_view all = text();
    const auto end = all.find('\n');
    bytes_ = end == all.npos ? Bytes{} : bytes_.subspan(end + 1);
    return all.substr(0, end);
}

std::string_view Input::text() const {
    return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()};
}

}  // namespace saga::fuzz
