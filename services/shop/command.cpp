#include "services/shop/command.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <thread>

namespace shop {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

constexpr auto kFirstPause = 50ms;
constexpr auto kLongestPause = 1s;
constexpr auto kUnremarked = 3s;  // a wait that nobody wonders at
constexpr auto kRedraw = 100ms;
constexpr std::size_t kBar = 30;  // characters

}  // namespace

std::unique_ptr<saga::Client> Options::connect() const {
    return answer_of(*this, [&] { return std::make_unique<saga::Client>(address); });
}

void until_answered(std::chrono::seconds patience, const std::function<void()>& ask,
                    const std::function<bool()>& enough) {
    const auto begun = steady_clock::now();
    std::chrono::milliseconds pause = kFirstPause;
    while (true) {
        try {
            return ask();
        } catch (const Stop&) {
            throw;
        } catch (const saga::Error& failure) {
            const auto waited = steady_clock::now() - begun;
            if (waited > patience || enough())
                throw Stop(kUnreachable,
                           fmt::format("{} (asked again for {} s)", failure.what(),
                                       std::chrono::ceil<std::chrono::seconds>(waited).count()));
            static std::once_flag said;
            if (waited > kUnremarked)
                std::call_once(said, [&] {
                    fmt::print(stderr, "shop: {}: asking again for up to {} s\n", failure.what(),
                               patience.count());
                });
        }
        std::this_thread::sleep_for(pause);
        pause = std::min<std::chrono::milliseconds>(2 * pause, kLongestPause);
    }
}

Progress::Progress(std::size_t all, bool json) : all_(all), begun_(steady_clock::now()) {
    const char* term = std::getenv("TERM");
    on_ = !json && all > 0 && ::isatty(STDERR_FILENO) != 0 &&
          (term == nullptr || std::string_view(term) != "dumb");
}

void Progress::show(std::size_t done) {
    const auto now = steady_clock::now();
    if (!on_ || now - shown_ < kRedraw) return;
    shown_ = now;
    const double seconds = std::chrono::duration<double>(now - begun_).count();
    fmt::print(stderr, "\r[{:<{}}] {} of {}, {:.0f}/s\x1b[K",
               std::string(std::min(kBar, kBar * done / all_), '#'), kBar, done, all_,
               static_cast<double>(done) / std::max(seconds, 0.001));
    std::fflush(stderr);
}

void Progress::clear() {
    if (on_ && shown_ != steady_clock::time_point{}) fmt::print(stderr, "\r\x1b[K");
    shown_ = {};
}

}  // namespace shop
