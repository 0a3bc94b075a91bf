#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <csignal>
#include <filesystem>
#include <saga/observe.hpp>

#include "saga/bus/nats_bus.hpp"
#include "saga/core/limits.hpp"
#include "saga/observer/watch.hpp"
#include "saga/view/observed.hpp"
#include "version.hpp"

namespace saga {
namespace {

constexpr int kUsage = 2;  // exit code: a wrong flag, as of `saga`

struct Given {
    bus::Address address;
    std::string data = "data", log_level = "info";
    int keep_hours =
        static_cast<int>(std::chrono::duration_cast<std::chrono::hours>(core::kRetention).count());
    bool replay = false, version = false;
};

volatile std::sig_atomic_t stop_asked = 0;
bus::NatsBus* to_wake = nullptr;

extern "C" void ask_observer_to_stop(int) {
    stop_asked = 1;
    if (to_wake != nullptr) to_wake->wake();
}

void add_flags(CLI::App& app, Given& given) {
    app.add_option("--data", given.data, "folder of observer.db")->envname("SAGA_DATA");
    add_address_flags(app, given.address);
    app.add_option("--keep", given.keep_hours,
                   "hours for which a saga that completed or was undone is kept; otherwise as long "
                   "as services remember it")
        ->check(CLI::Range(1, 24 * 365 * 10));
    app.add_flag("--replay", given.replay, "forget all, and read the stream from its beginning");
    app.add_option("--log-level", given.log_level, "debug, info, warning, error")
        ->envname("SAGA_LOG_LEVEL");
    app.add_flag("--version", given.version, "print the version");
    app.footer(
        "Examples:\n  observer --data /var/lib/observer\n"
        "  nats req saga-ctl.observer.trace o-1001");
}

std::string host_name() {
    std::array<char, 256> name{};
    return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "somewhere";
}

std::string nonce(runtime::Random& random) {
    return fmt::format("{:016x}{:016x}", random.next(), random.next());
}

/// Says what keeps it from being level where that lasts, and that it is.
void tell(const std::string& trouble, std::string& told, bus::Steady& since, bus::Steady now) {
    constexpr std::chrono::seconds kPatience{1};  // a start takes a tenth of it
    if (trouble.empty()) {
        if (told != "ready") spdlog::info(told = "ready");
        since = now;
    } else if (now - since >= kPatience && told != trouble) {
        spdlog::warn("not ready: {}", told = trouble);
        since = now;
    }
}

void observe_as(const Given& given) {
    std::filesystem::create_directories(given.data);
    observer::Watched watched(fmt::format("{}/{}.db", given.data, view::kObserver));
    if (given.replay) watched.index.begin_again({});
    runtime::SystemClock clock;
    runtime::SystemRandom random;
    bus::NatsBus bus(given.address, std::string(view::kObserver), nonce(random));
    to_wake = &bus;
    const observer::Self self{.instance = nonce(random),
                              .version = kVersion,
                              .where = fmt::format("{}, process {}", host_name(), ::getpid()),
                              .started = clock.now(),
                              .keep = std::chrono::hours(given.keep_hours)};
    observer::Watch watch(watched, bus, clock, self, [&] {
        // What services answer, as `saga permissions` lets it hear.
        bus::Address asking = given.address;
        asking.inbox_prefix = fmt::format("_INBOX.{}", view::kObserver);
        return std::make_unique<bus::NatsClient>(asking, std::string(view::kObserver));
    });
    std::string told;
    bus::Steady since = clock.steady();
    while (stop_asked == 0) {
        const bus::Steady until = watch.turn();
        tell(watch.trouble(), told, since, clock.steady());
        bus.wait(until);
    }
    watch.stop();
    to_wake = nullptr;
    spdlog::info("stopped");
}

}  // namespace

int observe(int argc, char** argv) {
    Given given;
    CLI::App app{"Reads the stream and tells how each saga stands.", std::string(view::kObserver)};
    add_flags(app, given);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : kUsage;
    }
    if (given.version) {
        fmt::print("{} {}\n", view::kObserver, kVersion);
        return 0;
    }
    try {
        const auto log = spdlog::stderr_logger_st(std::string(view::kObserver));
        log->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %n %l %v", spdlog::pattern_time_type::utc);
        log->set_level(spdlog::level::from_str(given.log_level));
        spdlog::set_default_logger(log);
        struct sigaction action {};
        action.sa_handler = &ask_observer_to_stop;
        sigaction(SIGTERM, &action, nullptr);
        sigaction(SIGINT, &action, nullptr);
        observe_as(given);
        return 0;
    } catch (const std::exception& failure) {
        fmt::print(stderr, "{}: {}\n", view::kObserver, failure.what());
        return 1;
    }
}

}  // namespace saga
