#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <csignal>
#include <filesystem>
#include <map>
#include <saga/run.hpp>
#include <thread>

#include "saga/bus/nats_bus.hpp"
#include "saga/bus/nats_client.hpp"
#include "saga/runtime/contract_json.hpp"
#include "saga/runtime/courtesy.hpp"
#include "saga/runtime/failpoints.hpp"
#include "saga/runtime/key_file.hpp"
#include "saga/runtime/node.hpp"
#include "saga/runtime/reshard.hpp"
#include "saga/store/failpoint.hpp"
#include "saga/store/reshard.hpp"
#include "version.hpp"

namespace saga {
namespace {

using runtime::Node;

constexpr std::size_t kCallers = 16;  // threads that wait for answers, at most
constexpr std::chrono::seconds kDrain{10};
constexpr int kUsage = 2;  // exit code: a wrong flag, as of `saga`

struct Given {
    bus::Address address;
    std::string data = "data", backups;
    std::string log_level = "info";
    bool failpoints = false;  // only in a build that has them
    bool contract = false, version = false, rebuild = false, accept_history_loss = false;
    bool saga_in_subject = false;
    std::size_t batch = core::kBatch;
    core::Shard shard;
    std::optional<unsigned> reshard;
    std::map<std::string, std::string, std::less<>> settings;
};

// The signal handler's way to the loop.
volatile std::sig_atomic_t stop_asked = 0;
bus::NatsBus* to_wake = nullptr;

extern "C" void ask_to_stop(int) {
    stop_asked = 1;
    if (to_wake != nullptr) to_wake->wake();
}

void add_flags(CLI::App& app, Given& given, const Contract& contract) {
    app.add_option("--data", given.data, "folder of the database and its key")
        ->envname("SAGA_DATA");
    app.add_option("--backups", given.backups, "folder of backups; otherwise backups in --data")
        ->envname("SAGA_BACKUPS");
    add_address_flags(app, given.address);
    app.add_option("--log-level", given.log_level, "debug, info, warning, error")
        ->envname("SAGA_LOG_LEVEL");
    app.add_option("--batch", given.batch, "items of one transaction")
        ->check(CLI::Range(std::size_t{1}, core::kMaxReady));
    app.add_flag("--saga-in-subject", given.saga_in_subject,
                 "publish with the saga id as last token: for `nats sub 'saga.*.*.*.*.<id>'`")
        ->envname("SAGA_IN_SUBJECT");
    app.add_option_function<std::string>(
           "--shard", [&given](const std::string& text) { given.shard = *core::parse_shard(text); },
           "one part of the service, which has the sagas of its partitions: 0/4 is the first of 4")
        ->check([](const std::string& text) -> std::string {
            if (core::parse_shard(text)) return {};
            return fmt::format("\"{}\" is no shard: one is such as 0/4, of {} at most", text,
                               core::kPartitions);
        })
        ->envname("SAGA_SHARD")
        ->type_name("N/OF");
    app.add_option("--reshard", given.reshard,
                   "move all sagas in --data, of a service that is stopped, to so many shards")
        ->check(CLI::Range(1U, core::kPartitions))
        ->excludes("--shard");
    app.add_flag("--rebuild", given.rebuild,
                 "this database takes over the name, from the stream's first message");
    app.add_flag("--accept-history-loss", given.accept_history_loss,
                 "go on although the stream no longer holds what was not read");
    app.add_flag("--contract", given.contract, "print the contract as JSON");
    app.add_flag("--version", given.version, "print the version");
#ifdef SAGA_FAILPOINTS
    app.add_flag("--failpoints", given.failpoints, "name the places where SAGA_FAILPOINT strikes")
        ->group("");
#endif
    for (const detail::Setting& setting : contract.settings) {
        std::string flag = setting.name, variable = "SAGA_";
        for (const char c : setting.name) variable += static_cast<char>(std::toupper(c));
        std::replace(flag.begin(), flag.end(), '_', '-');
        std::string& value = given.settings[setting.name] = setting.otherwise;
        app.add_option("--" + flag, value, setting.help)->envname(variable);
    }
}

std::string host_name() {
    std::array<char, 256> name{};
    return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "somewhere";
}

std::string nonce(runtime::Random& random) {
    return fmt::format("{:016x}{:016x}", random.next(), random.next());
}

/// Says once that the service is ready, and what keeps it from it where that lasts.
class Watch {
  public:
    explicit Watch(const Node& node) : node_(node) {}

    void look(bus::Steady now) {
        const std::string trouble = node_.trouble();
        if (trouble.empty()) {
            if (told_ != kReady) spdlog::info(told_ = kReady);
            since_ = bus::Steady::max();
            return;
        }
        since_ = std::min(since_, now);
        if (now < next_look() || told_ == trouble) return;
        spdlog::warn("not ready: {}", trouble);
        told_ = trouble;
    }

    /// When a trouble that goes on is told.
    bus::Steady next_look() const {
        return since_ == bus::Steady::max() ? since_ : since_ + kPatience;
    }

  private:
    static constexpr auto kReady = "ready";
    static constexpr std::chrono::seconds kPatience{1};  // a start takes a tenth of it

    const Node& node_;
    std::string told_;
    bus::Steady since_ = bus::Steady::max();
};

void serve(Node& node, bus::NatsBus& bus) {
    Watch watch(node);
    runtime::Courtesy courtesy;
    runtime::Courtesy::Pace pace;
    while (stop_asked == 0) {
        const bus::Steady until = node.turn(pace.items);
        pace = courtesy.after_round(node.backlog());
        std::this_thread::sleep_for(pace.rest);
        const bus::Steady now = std::chrono::steady_clock::now();
        watch.look(now);
        bus.wait(watch.next_look() > now ? std::min(until, watch.next_look()) : until);
    }
    spdlog::info("stopping");
    node.drain();
    const bus::Steady last = std::chrono::steady_clock::now() + kDrain;
    while (!node.drained() && std::chrono::steady_clock::now() < last) {
        const bus::Steady until = node.turn();
        bus.wait(std::min(until, std::chrono::steady_clock::now() + std::chrono::milliseconds(50)));
    }
    if (const std::string left = node.undone(); !left.empty())
        spdlog::warn("stops although {}: the next start goes on with it", left);
    node.stop();
    spdlog::info("stopped");
}

void run_service(const Contract& contract, const Given& given) {
    std::filesystem::create_directories(given.data);
    const core::Instance self{contract.service, given.shard};
    const std::string path = fmt::format("{}/{}.db", given.data, self.name());
    const std::string key_path = runtime::key_path(given.data, contract.service);
    const bool fresh = !std::filesystem::exists(path);
    if (fresh) runtime::require_alone(self, given.data);
    store::Store store({.path = path, .vfs = {}}, contract.tables);
    if (!given.shard.whole()) store::require_by_saga(store.db(), contract.by_saga);
    SAGA_FAILPOINT(starting);
    const core::IdKey key =
        runtime::load_key(key_path, fresh || !store.meta.text(store::Meta::kKey));
    runtime::bind_key(store, key, key_path);

    runtime::SystemClock clock;
    runtime::SystemRandom random;
    bus::NatsBus bus(given.address, contract.service, nonce(random));
    to_wake = &bus;
    std::once_flag once;
    std::unique_ptr<bus::NatsClient> client;  // only a service with calls needs one
    const runtime::Ask ask = [&](std::string_view subject, Bytes question, std::string_view call,
                                 std::chrono::milliseconds timeout) {
        std::call_once(once, [&] {
            bus::Address own = given.address;
            own.inbox_prefix = fmt::format("_SAGA.{}.{}", contract.service, nonce(random));
            client = std::make_unique<bus::NatsClient>(own, contract.service + " calls");
        });
        return client->request(std::string(subject), question, timeout,
                               {{"Idempotency-Key", std::string(call)}});
    };
    {
        runtime::ThreadCaller pool(given.settings, ask, kCallers, [&] { bus.wake(); });
        runtime::AskingCaller caller(bus, pool);
        Node node(contract, store, key, bus, clock, random, caller,
                  {.instance = nonce(random),
                   .version = kVersion,
                   .where = fmt::format("{}, process {}", host_name(), ::getpid()),
                   .contract = runtime::contract_json(contract),
                   .key_path = key_path,
                   .backups = given.backups.empty() ? given.data + "/backups" : given.backups,
                   .reserve_bytes = core::kReserveBytes,
                   .rebuild = given.rebuild,
                   .accept_history_loss = given.accept_history_loss,
                   .worker = {.executor = {.saga_in_subject = given.saga_in_subject},
                              .batch = given.batch,
                              .shard = given.shard}});
        serve(node, bus);
    }
    to_wake = nullptr;
}

void act(const Contract& contract, const Given& given) {
    if (given.reshard)
        return runtime::reshard(contract, {given.address, given.data, *given.reshard},
                                [](const std::string& line) { fmt::print("{}\n", line); });
    struct sigaction action {};
    action.sa_handler = &ask_to_stop;
    sigaction(SIGTERM, &action, nullptr);
    sigaction(SIGINT, &action, nullptr);
    run_service(contract, given);
}

}  // namespace

int run(int argc, char** argv, const Service& service) {
    const Contract& contract = service.contract();
    Given given;
    CLI::App app{fmt::format("The service {} of a saga.", contract.service), contract.service};
    add_flags(app, given, contract);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : kUsage;
    }
    if (given.version) {
        fmt::print("{} {}\n", contract.service, kVersion);
        return 0;
    }
    try {
#ifdef SAGA_FAILPOINTS
        if (given.failpoints) {
            fmt::print("{}", runtime::failpoint_names());
            return 0;
        }
        runtime::arm_failpoints();
#endif
        detail::validate(contract);
        if (given.contract) {
            fmt::print("{}\n", runtime::contract_json(contract));
            return 0;
        }
        const auto log = spdlog::stderr_logger_st(contract.service);
        log->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %n %l %v", spdlog::pattern_time_type::utc);
        log->set_level(spdlog::level::from_str(given.log_level));
        spdlog::set_default_logger(log);
        act(contract, given);
        return 0;
    } catch (const store::Broken& failure) {
        fmt::print(
            stderr,
            "{0}: its database cannot be relied on ({1}): nothing more is done with it; look "
            "at the disk, start {0} again, and restore a backup if it is refused then\n",
            contract.service, failure.what());
        return 1;
    } catch (const std::exception& failure) {
        fmt::print(stderr, "{}: {}\n", contract.service, failure.what());
        return 1;
    }
}

}  // namespace saga
