// Operators' requests to a service, and the audit event that makes them count.
#pragma once

#include <optional>
#include <string>

#include "saga/core/saga.hpp"
#include "saga/core/shard.hpp"
#include "saga/runtime/executor.hpp"

namespace saga::runtime {

struct Request;

inline constexpr std::string_view kOperatorActed = "saga.wire.OperatorActed";
inline constexpr std::string_view kRefused = "{\"refused\"";  ///< How refused() begins.

/// What an operator's event says.
struct Operated {
    core::Operation operation = core::Operation::retry;
    std::string what, step;
    EventId event_id;
    std::int64_t position = 0;
    std::optional<std::uint32_t> nth = {};  ///< of a timer, if it says which
};
std::optional<Operated> read_operation(Bytes payload);
bool concerns(const Operated& word, const core::ParkedRow& row);
std::string_view name_of(core::Waits what);

/// {"refused": {"code": ..., "why": ...}}
std::string refused(std::string_view code, std::string_view why);

/// The verbs `retry`, `skip` and `drop`, with a body {"id": 17 | "aside-17", "reason": "..."}, or
/// {"saga": ID, "reason": "..."} for all that is dead of that saga: an event for each goes to the
/// outbox, and counts when it is read back: so its saga is one of the `shard`. The answer is JSON.
std::string operate(store::Store& store, Executor& executor, const core::Shard& shard,
                    const Request& request, core::SagaState& state, Time now);

/// The verb `undo`, with a body {"saga": ID, "reason": "..."}.
struct UndoAsked {
    std::string saga, reason;
};
UndoAsked read_undo(Bytes body);
/// The saga that the body of a request names, if it does, and no dead letter by its id.
std::optional<std::string> saga_named(Bytes body);
/// What stands in the stream beside the event by which the service's `command` asks for it.
detail::Emitted undo_word(std::string_view command, const EventId& asked, std::string_view reason);

/// Rows of both say, as `service`, whose they are: `name`, of the service with its shard.
/// The verb `dead`: a JSON array of what is parked dead and of what stands aside, kMaxListed rows
/// at most. Body: {"all": true} for what merely waits, too; {"after": ID} for what follows that
/// row; {"saga": ID} for one saga alone, and its open calls.
std::string list_dead(store::Store& store, const std::string& name, std::string_view body);
/// The verb `letter`, body {"id": ...}: one of them whole, its message in base64; a message that
/// an event cannot have in length is left in the stream, at `stream_seq`.
std::string show_dead(store::Store& store, const std::string& name, std::string_view body);

/// The verb `outbox`, body {"after": SEQ} or nothing: where the service has read up to, and the
/// outbox rows after SEQ, kMaxOutboxListed at most. Of a database that is in use, or of one that
/// is not.
std::string list_outbox(store::Outbox& outbox, const core::Position& read, std::string_view body);

}  // namespace saga::runtime
