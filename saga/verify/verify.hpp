// The invariants of a landscape, looked for in what its services and its stream hold: one checker
// each, the same for a simulation and for processes that have stopped.
//
// I1   a step's effect and its undo happen once at most, and no undo without its effect
// I2   what one transaction writes stands together: journal, inbox, outbox, timers, calls
// I4   a saga has one end, and each service that knows the saga knows the same
// I5   an undone saga leaves no step that should have been undone; a completed one undoes none
// I6   every event and every effect has its cause; a saga keeps its order inside a service
// I7   at rest: nothing unsent, nothing lost, nothing without origin, nothing unread
// I8   at rest: nothing waits and no saga is open, but for what waits for an operator
// I9   a command that was accepted stands, and one that was refused does not
// I10  the position in the stream never stands apart from the effects
// I11  nobody holds a lock of a finished saga, and who waits for one stands in its queue
// I12  attempts, files, queues and what is kept have their bounds
// I13  what is no event has no effect; whatever was given up has a reason
//
// I3, that business data add up, is the business's own; I14 belongs to the simulator.
#pragma once

#include <sqlite3.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "saga/core/history.hpp"
#include "saga/core/limits.hpp"

namespace saga::verify {

using core::StoreTime;

struct Violation {
    std::string invariant;      ///< "I1"
    std::string service, saga;  ///< empty: of none in particular
    std::string what;           ///< in one sentence, with ids
};

struct ServiceView {
    std::string service;  ///< with its shard: "payment-0-of-4"
    /// Only SELECTs are made on it: the service's own connection between two transactions, or a
    /// read-only one while the service is down. It is borrowed.
    sqlite3* db = nullptr;
    nlohmann::json contract;  ///< as runtime::contract_json prints it
};

/// A message of the stream.
struct Stored {
    std::uint64_t seq = 0;
    std::string subject;
    StoreTime stored_at;
    std::vector<std::byte> bytes;
};

enum class Told : std::uint8_t {
    accepted,
    refused,
    unknown,  ///< no answer came
};
/// What a client was told of a command.
struct Answer {
    std::string service, command, saga;
    Told told = Told::unknown;
};

struct Landscape {
    std::vector<ServiceView> services;
    std::vector<Stored> stream;  ///< in order
    std::vector<Answer> answers;
    /// False: the broker no longer holds all that services published, be it by age or by loss;
    /// only what is there is checked.
    bool stream_whole = true;
};

struct Options {
    /// False: only what must hold at any moment is checked.
    bool at_rest = true;
    /// Services whose handlers say later(), or whose database was restored: the order in which they
    /// took a saga's events is not judged.
    std::set<std::string> unordered;
    /// How long outboxes keep what was read back: what began longer ago may be gone.
    std::chrono::microseconds outbox_horizon = core::kOutboxHorizon;
    /// How long finished sagas are kept, and how many older ones there may be; unset: any number.
    std::chrono::microseconds retention = core::kRetention;
    std::optional<std::size_t> max_leftovers;
    /// Of each database's write-ahead log.
    std::uint64_t max_wal_bytes = 64 * 1024 * 1024;
};

/// All that is wrong, in the order of the invariants. Empty: nothing is.
/// Throws Error when a database cannot be read, or is none of a service.
std::vector<Violation> check(const Landscape& landscape, const Options& options);

/// What waits for an operator, in the same form: no violation of anything.
std::vector<Violation> dead(const Landscape& landscape);

}  // namespace saga::verify
