#include "saga/cli/doctor_broker.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

#include "saga/cli/buckets.hpp"
#include "saga/cli/words.hpp"
#include "saga/core/limits.hpp"
#include "saga/core/subject.hpp"

namespace saga::cli {
namespace {

using nlohmann::json;
using Severity = Finding::Severity;

constexpr double kNearlyFull = 0.85, kFull = 0.95;  // of a limit
constexpr std::array<int, 3> kOldest{2, 9, 10};     // Debian 12's nats-server
constexpr std::uint64_t kHeaderBytes = 64 * 1024;
constexpr std::chrono::nanoseconds kLasting = std::chrono::hours(1);

json part(const json& object, const char* key) {
    return object.is_object() ? object.value(key, json::object()) : json::object();
}

class Broker {
  public:
    Broker(const Examination& seen, std::vector<Finding>& found) : seen_(seen), found_(found) {}

    void look() {
        look_server();
        if (!seen_.trouble.empty())
            error("broker", "does not tell all that is to be known: " + seen_.trouble,
                  "the account needs jetstream: enabled, and its user the rights of "
                  "docs/protocol.md");
        look_account();
        for (const AssetSeen& each : seen_.assets) look(each);
        look_consumers();
    }

  private:
    void error(std::string about, const std::string& what, std::string mend) {
        found_.push_back({Severity::error, std::move(about), harmless(what), std::move(mend)});
    }
    void warn(std::string about, const std::string& what, std::string mend) {
        found_.push_back({Severity::warning, std::move(about), harmless(what), std::move(mend)});
    }

    void look_server() {
        if (!seen_.broker) return;
        const BrokerInfo& broker = *seen_.broker;
        if (!supported_version(broker.version))
            error("broker", fmt::format("is nats-server {}, older than 2.9.10", broker.version),
                  "install a newer one: https://nats.io/download");
        if (!broker.jetstream)
            error("broker", "runs without JetStream",
                  "start it with -js -sd FOLDER, or with jetstream {} in its configuration");
        const std::uint64_t needed = core::kMaxMessage + kHeaderBytes;
        if (broker.max_payload != 0 && broker.max_payload < needed)
            error("broker",
                  fmt::format("takes messages of at most {}, and an event may have {}",
                              size_text(broker.max_payload), size_text(needed)),
                  "max_payload: 1MB in its configuration");
    }

    /// `used` of `limit`, of which -1 is none.
    void fullness(const std::string& about, const std::string& of, double used, double limit,
                  const std::string& mend) {
        if (limit <= 0 || used < kNearlyFull * limit) return;
        const std::string what = fmt::format("{:.0f} % of its {} are used", 100 * used / limit, of);
        if (used >= kFull * limit)
            error(about, what, mend);
        else
            warn(about, what, mend);
    }

    void look_account() {
        if (!seen_.account.is_object()) return;
        const json limits = part(seen_.account, "limits");
        fullness("broker", "storage", field(seen_.account, "storage", 0.0),
                 field(limits, "max_storage", -1.0),
                 "raise max_file_store, or the account's limit, in its configuration");
        fullness("broker", "memory", field(seen_.account, "memory", 0.0),
                 field(limits, "max_memory", -1.0),
                 "raise max_memory_store, or the account's limit: readers need a little of it");
        fullness("broker", "consumers", field(seen_.account, "consumers", 0.0),
                 field(limits, "max_consumers", -1.0), "raise the account's limit of consumers");
    }

    void look(const AssetSeen& each) {
        const std::string& name = each.wanted.stream;
        if (!each.found.is_object())
            return error(name, fmt::format("is missing ({})", each.wanted.help), "saga bootstrap");
        const json config = part(each.found, "config"), state = part(each.found, "state");
        const auto faults = name == core::kStream ? bus::stream_faults(config.dump())
                                                  : bus::asset_faults(each.wanted, config.dump());
        for (const std::string& fault : faults) error(name, fault, "saga bootstrap --mend");
        const std::string edit = fmt::format("nats stream edit {} --max-bytes N", name);
        fullness(name, "bytes", field(state, "bytes", 0.0), field(config, "max_bytes", -1.0), edit);
        if (field<std::string>(config, "discard", "") == "new")
            fullness(name, "messages", field(state, "messages", 0.0),
                     field(config, "max_msgs", -1.0),
                     fmt::format("nats stream edit {} --max-msgs -1", name));
        const auto cluster = each.found.find("cluster");
        if (cluster == each.found.end()) return;
        const json replicas = list(*cluster, "replicas");
        if (field(config, "num_replicas", 1) > 1 &&
            field<std::string>(*cluster, "leader", "").empty())
            error(name, "has no leader: too many of its servers are away", "nats server report js");
        for (const json& replica : replicas)
            if (field(replica, "offline", false) || !field(replica, "current", true))
                warn(name,
                     fmt::format("its copy on {} is {}", field<std::string>(replica, "name", "?"),
                                 field(replica, "offline", false) ? "offline" : "not up to date"),
                     "nats server report js");
    }

    bool known(const std::string& name) const {
        return std::any_of(seen_.services.begin(), seen_.services.end(),
                           [&](const ServiceSeen& each) { return each.name == name; });
    }

    /// Others may read the stream: what they left behind costs the broker memory, and is named.
    void look_consumers() {
        for (const json& each : seen_.later) {
            const std::string name = field<std::string>(each, "name", "");
            const json config = part(each, "config");
            const std::string mend =
                fmt::format("nats consumer rm {} {}, if nobody needs it", core::kStream, name);
            if (known(name)) {
                const std::string acks = field<std::string>(config, "ack_policy", "none");
                if (acks != "none")
                    error(
                        name,
                        fmt::format("its consumer was made by somebody else (ack policy {})", acks),
                        fmt::format("nats consumer rm {} {}: the service makes its own",
                                    core::kStream, name));
                continue;
            }
            const bool durable = !field<std::string>(config, "durable_name", "").empty();
            const auto inactive = field(config, "inactive_threshold", std::int64_t{0});
            const bool lasting = durable || inactive >= kLasting.count();
            if (!lasting) continue;  // goes by itself
            const auto unacked = field(each, "num_ack_pending", std::uint64_t{0});
            warn(std::string(core::kStream),
                 fmt::format("the consumer {} belongs to no service ({} unread{})", name,
                             field(each, "num_pending", std::uint64_t{0}),
                             unacked == 0 ? "" : fmt::format(", {} not acknowledged", unacked)),
                 mend);
        }
    }

    const Examination& seen_;
    std::vector<Finding>& found_;
};

}  // namespace

void add_broker_findings(const Examination& seen, std::vector<Finding>& found) {
    Broker(seen, found).look();
}

bool supported_version(const std::string& version) {
    std::array<int, 3> read{};
    const char* at = version.data();
    const char* const end = at + version.size();
    for (int& number : read) {
        const auto [next, error] = std::from_chars(at, end, number);
        if (error != std::errc{}) return false;
        at = next == end ? end : next + 1;
    }
    return read >= kOldest;
}

}  // namespace saga::cli
