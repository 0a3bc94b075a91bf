// What saga doctor looks at, and what it makes of it.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "saga/bus/topology.hpp"
#include "saga/cli/broker_info.hpp"
#include "saga/cli/dev_status.hpp"
#include "saga/cli/participants.hpp"

namespace saga::cli {

struct Finding {
    enum class Severity : std::uint8_t {
        warning,  ///< somebody should know
        error,    ///< something does not work, or waits for an operator
    };
    Severity severity = Severity::error;
    std::string about;  ///< "broker", a stream, a service
    std::string what;   ///< what is wrong
    std::string mend;   ///< the command or the setting that mends it
};

/// A stream or bucket as it must be, and as the broker describes it; null: it is not there.
struct AssetSeen {
    bus::Asset wanted;
    nlohmann::json found;
};

struct ServiceSeen {
    std::string name;
    bool meant = false;                 ///< `saga dev` was to start it, or SAGA_CONFIG names it
    std::optional<ServiceState> state;  ///< empty: it does not answer
    std::string refusal;                ///< an answer that is none
    std::string owner, owner_where;     ///< the instance that SAGA_OWNERS names; empty: none
    std::vector<Letter> letters;        ///< all that waits or stands aside there
};

/// Who answered a ping of the NATS service protocol.
struct Ping {
    std::string name, id;
};

/// All that was looked at. What could not be asked is empty.
struct Examination {
    std::string url, trouble;          ///< of JetStream, where it does not answer
    std::optional<BrokerInfo> broker;  ///< empty: it greets nobody without a key
    nlohmann::json account;            ///< $JS.API.INFO
    std::vector<AssetSeen> assets;
    std::vector<nlohmann::json> consumers, later;  ///< of SAGA, a moment apart
    bool meant_known = false;                      ///< somebody wrote down what is to run
    std::vector<ServiceSeen> services;
    std::map<std::string, std::string> unreadable;  ///< contracts, and what is wrong with each
    std::vector<Ping> pings;
    std::optional<DevStatus> dev;  ///< what a `saga dev` on this broker says of its programs
};

/// Throws Stop(kUnreachable), in one sentence, when no broker answers.
Examination examine(const Options& options);

/// What is wrong, the worst first. Pure.
std::vector<Finding> findings(const Examination& seen);

/// Whether a server's version is one that this library is built for: "2.9.10" and newer.
bool supported_version(const std::string& version);

}  // namespace saga::cli
