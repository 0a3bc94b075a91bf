#include "saga/runtime/executor.hpp"

#include <algorithm>

#include "engine_generated.h"
#include "saga/core/backoff.hpp"
#include "saga/core/limits.hpp"
#include "saga/core/payload_rules.hpp"
#include "saga/core/subject.hpp"
#include "saga/core/text.hpp"
#include "saga/runtime/handler_port.hpp"
#include "saga/store/failpoint.hpp"

namespace saga::runtime {
namespace {

using core::Attempt;
using Result = core::Attempt::Result;

Attempt attempt_of(detail::Ran ran, Result success) {
    for (const detail::Emitted& event : ran.events) core::require_sound(*event.type, event.payload);
    switch (ran.verdict) {
        case detail::Ran::Verdict::success:
            return {success, std::move(ran.events), {}};
        case detail::Ran::Verdict::failure:
            return {Result::failure, std::move(ran.events), {}};
        case detail::Ran::Verdict::later:
            return {Result::later, {}, std::move(ran.why)};
    }
    return {};
}

std::string reason(std::string_view text) {
    return core::clipped(core::is_utf8(text) ? std::string(text) : core::percent_encoded(text),
                         core::kMaxReason);
}

}  // namespace

Origin origin_of(const core::Message& message) {
    const core::Envelope& envelope = message.envelope();
    return {.cause = envelope.id,
            .time = envelope.time,
            .hops = envelope.hops,
            .trace = std::string(envelope.trace),
            .stored_at = message.stored_at()};
}

Executor::Executor(const Contract& contract, store::Store& store, const core::IdKey& key,
                   Random& random, Options options)
    : contract_(contract), store_(store), key_(key), random_(random), options_(options) {}

void Executor::begin(core::SagaState& state, Origin origin, Time now) {
    state_ = &state;
    origin_ = std::move(origin);
    now_ = now;
}

std::string Executor::subject_of(const core::Envelope& own) const {
    return core::event_subject(own.source, own.kind, detail::split_type(own.type).name, own.saga,
                               options_.saga_in_subject);
}

EventId Executor::id_of(std::string_view step, core::Role role, std::uint32_t slot,
                        const EventId& run) const {
    return key_.id(state_->row.started, {contract_.service, state_->row.id, step, role, slot, run});
}

// ---- handlers -----------------------------------------------------------------------------------

template <class Handler>
Attempt Executor::guarded(Locking locking, Handler handler) {
    HandlerPort port(contract_, store_, *state_, origin_.time, locking);
    const auto failed = [&](Result result, std::string_view why) {
        if (port.took_locks()) store_.locks.reload();
        return Attempt{result, {}, reason(why)};
    };
    try {
        store::Savepoint savepoint(store_.db());
        Attempt attempt = handler(port);
        port.require_locks();
        SAGA_FAILPOINT(handling);
        if (!store_.db().in_transaction()) throw store::DiskFull("the disk is full");
        if (attempt.result != Result::success && attempt.result != Result::asked)
            return failed(attempt.result, attempt.why), attempt;
        savepoint.keep();
        return attempt;
    } catch (const store::DiskFull&) {
        throw;
    } catch (const store::Broken&) {
        throw;
    } catch (const LockHeld& held) {
        wanted_ = held.wanted();
        return failed(held.deadlock() ? Result::deadlock : Result::locked, held.what());
    } catch (const std::exception& thrown) {
        return failed(Result::threw, thrown.what());
    } catch (...) {
        return failed(Result::threw, "the handler threw something that is no std::exception");
    }
}

Attempt Executor::run_code(const detail::Code& code, Locking locking, const Given& given) {
    return guarded(locking, [&](HandlerPort& port) {
        if (code.calls()) return attempt_of(code.ask(View(port), given.events), Result::asked);
        Tx tx(port);
        return attempt_of(code.run(tx, given.events), Result::success);
    });
}

Attempt Executor::run(const detail::StepCode& step, const core::Message& trigger) {
    const EventId run = step.once_per_event ? trigger.envelope().id : EventId{};
    const Given given = given_to(step, trigger);
    for (const AnyEvent& event : given.events) origin_.time = std::max(origin_.time, event.time);
    if (auto recorded =
            on_record(step.code, step.emits, step.name, core::Role::outcome, run, given))
        return *std::move(recorded);
    return run_code(step.code, Locking::in_turn, given);
}

Attempt Executor::react(const detail::ReactionCode& reaction, const core::Message& event) {
    Given given;
    given.add(event.envelope());
    return run_code(reaction.code, Locking::in_turn, given);
}

/// Of a saga that has failed it is undone at once, and an undo waits for nothing.
Locking Executor::locking_of_answer() const {
    return state_->failed() ? Locking::none : Locking::ahead;
}

Attempt Executor::settle(const detail::StepCode& step, const core::StepRow& row, core::Part part,
                         Bytes answer) {
    const bool forward = part == core::Part::step;
    if (!forward)
        if (auto why = foreign(step, row)) return {Result::threw, {}, std::move(*why)};
    const Given given = forward ? given_to_answer(step, row) : given_to_follow_up(step, row);
    const detail::Code& code = forward ? step.code : step.undo;
    if (auto recorded = on_record(code, forward ? step.emits : step.undone, step.name,
                                  forward ? core::Role::outcome : core::Role::undo, row.run, given))
        return *std::move(recorded);
    answer_.assign(answer.begin(), answer.end());
    return guarded(forward ? locking_of_answer() : Locking::none, [&](HandlerPort& port) {
        Tx tx(port);
        return attempt_of(code.settle(tx, given.events, answer), Result::success);
    });
}

Attempt Executor::undo(const detail::StepCode& step, const core::StepRow& row) {
    if (auto why = foreign(step, row)) return {Result::threw, {}, std::move(*why)};
    origin_.time = std::max(origin_.time, now_);  // of its event, whatever it is that undoes it
    const Given given = given_to_follow_up(step, row);
    if (auto recorded =
            on_record(step.undo, step.undone, step.name, core::Role::undo, row.run, given))
        return *std::move(recorded);
    return run_code(step.undo, Locking::none, given);
}

Attempt Executor::fire(const detail::StepCode& step, const core::StepRow& row, std::uint32_t nth) {
    if (auto why = foreign(step, row)) return {Result::threw, {}, std::move(*why)};
    const Given given = given_to_follow_up(step, row);
    return run_code(core::find_deadline(step, nth)->ask, Locking::none, given);
}

// ---- on record ----------------------------------------------------------------------------------

/// While catching up; and later, of what was unlike its record then, and is tried again.
std::optional<Attempt> Executor::on_record(const detail::Code& code,
                                           std::span<const detail::Emits> emits,
                                           std::string_view step, core::Role role,
                                           const EventId& run, const Given& given) {
    if (!catching_up_ && !origin_.waited) return std::nullopt;
    const auto record = record_of(id_of(step, role, 0, run));
    if (!record) return std::nullopt;
    Attempt attempt = as_recorded(*record, code, emits, step, role, run, given);
    // Only while catching up something may still come that makes it alike.
    if (!catching_up_ && attempt.result == Result::unlike) attempt.result = Result::threw;
    return attempt;
}

std::optional<Executor::Record> Executor::record_of(const EventId& id) {
    Record record;
    if (auto row = store_.recorded.find(id)) {
        record.envelope_bytes = std::move(row->envelope);
    } else if (const auto seq = origin_.waited ? store_.outbox.find(id) : std::nullopt) {
        record.envelope_bytes = store_.outbox.row(*seq).value().envelope;
    } else {
        return std::nullopt;
    }
    const auto read = core::decode(record.envelope_bytes);
    SAGA_ASSERT(std::holds_alternative<core::Envelope>(read));  // it was when it was recorded
    record.envelope = std::get<core::Envelope>(read);
    return record;
}

/// The world has seen what came of this work: a failure is taken as it is; a success runs again and
/// must come out the same.
Attempt Executor::as_recorded(const Record& record, const detail::Code& code,
                              std::span<const detail::Emits> emits, std::string_view step,
                              core::Role role, const EventId& run, const Given& given) {
    const core::Envelope& envelope = record.envelope;
    const auto emitted = std::find_if(emits.begin(), emits.end(), [&](const auto& each) {
        return each.type->full == envelope.type;
    });
    if (emitted == emits.end())
        return {Result::unlike, {}, "this build never publishes " + std::string(envelope.type)};
    if (envelope.kind == Kind::failed) {
        return {Result::failure,
                {{emitted->type, {envelope.payload.begin(), envelope.payload.end()}}},
                {}};
    }
    if (code.calls()) {
        auto answer = key_.open(envelope.id, envelope.sealed);
        if (!answer || !core::is_sound(*code.answer, *answer))
            return {Result::unlike, {}, "the answer on record cannot be read with this key"};
        answer_ = std::move(*answer);
    }
    if (role == core::Role::undo) origin_.time = envelope.time;
    const Locking locking = role != core::Role::outcome ? Locking::none
                            : code.calls()              ? locking_of_answer()
                                                        : Locking::in_turn;
    return guarded(locking, [&](HandlerPort& port) {
        Tx tx(port);
        Attempt attempt = attempt_of(
            code.calls() ? code.settle(tx, given.events, answer_) : code.run(tx, given.events),
            Result::success);
        if (attempt.result == Result::success && alike(attempt, step, role, 0, run)) return attempt;
        return Attempt{
            Result::unlike,
            {},
            "on record is " + std::string(envelope.type) + ", and it comes out otherwise now"};
    });
}

/// Whether the events are those on record; one that never reached the stream is on no record.
bool Executor::alike(const Attempt& attempt, std::string_view step, core::Role role,
                     std::uint32_t first_slot, const EventId& run) {
    for (std::uint32_t i = 0; i < attempt.events.size(); ++i) {
        const auto record = record_of(id_of(step, role, first_slot + i, run));
        if (!record) continue;
        const detail::Emitted& event = attempt.events[i];
        if (record->envelope.type != event.type->full ||
            !std::equal(event.payload.begin(), event.payload.end(),
                        record->envelope.payload.begin(), record->envelope.payload.end()))
            return false;
    }
    return true;
}

// ---- what handlers are given --------------------------------------------------------------------

Given Executor::given_to(const detail::StepCode& step, const core::Message& trigger) {
    const core::Envelope& envelope = trigger.envelope();
    Given given;
    if (step.starts_on.size() == 1) {
        given.add(envelope);
    } else {
        auto halves = store_.arrived.halves(state_->row.key, step.name, EventId{});
        for (std::uint32_t slot = 0; slot < step.starts_on.size(); ++slot) {
            const auto half = std::find_if(halves.begin(), halves.end(),
                                           [&](const auto& each) { return each.slot == slot; });
            const bool stands = half != halves.end();
            if (!stands && step.starts_on[slot]->full != envelope.type)
                throw store::Broken("a half of " + step.name + " is gone");
            stands ? given.add(std::move(half->envelope)) : given.add(envelope);
        }
    }
    result_ = step.keeps_result() ? given.packed() : std::vector<std::byte>{};
    answer_.clear();
    return given;
}

// ---- what is published --------------------------------------------------------------------------

void Executor::publish(const core::Publication& publication) {
    for (std::uint32_t i = 0; i < publication.events.size(); ++i) {
        const EventId id =
            id_of(publication.step, publication.role, publication.first_slot + i, publication.run);
        const bool sealed = i == 0 && !answer_.empty();
        write_event({.id = id,
                     .kind = i == 0 ? publication.kind : publication.rest,
                     .step = publication.step,
                     .because = publication.because,
                     .sealed = sealed ? Bytes(answer_) : Bytes{}},
                    publication.events[i]);
    }
    answer_.clear();
}

EventId Executor::publish_command(const detail::CommandCode& command, const detail::Emitted& event,
                                  const EventId& fingerprint) {
    const EventId id = id_of(command.verb, core::Role::command, 0, {});
    write_event({.id = id,
                 .kind = command.ends_saga ? Kind::ended : Kind::done,
                 .step = command.verb,
                 .because = {},
                 .sealed = std::as_bytes(std::span(fingerprint.bytes))},
                event);
    return id;
}

EventId Executor::publish_operation(std::string_view saga_id, const detail::Emitted& word) {
    EventId nonce;  // two words of an operator are two events, however alike
    for (std::size_t i = 0; i < nonce.bytes.size(); ++i)
        nonce.bytes[i] = static_cast<std::uint8_t>(random_.next());
    const EventId id = key_.id(state_->row.started, {contract_.service, saga_id, kOperationStep,
                                                     core::Role::operation, 0, nonce});
    write_event({.id = id,
                 .kind = Kind::done,
                 .step = kOperationStep,
                 .because = {},
                 .sealed = std::as_bytes(std::span(nonce.bytes))},
                word);
    return id;
}

void Executor::write_event(const Out& out, const detail::Emitted& event) {
    const std::int64_t seq = store_.outbox.next_seq();
    const std::string& saga = state_->row.id;
    store::OutboxRow row{
        .seq = seq, .id = out.id, .saga = state_->row.key, .subject = {}, .envelope = {}};
    row.subject = core::event_subject(contract_.service, out.kind, event.type->name, saga,
                                      options_.saga_in_subject);
    if (catching_up_) {
        if (auto recorded = store_.recorded.find(out.id)) {
            row.envelope = std::move(recorded->envelope);
            store_.outbox.insert(row, now_, recorded->stands());
            return store_.recorded.erase(out.id);
        }
    }
    std::vector<std::byte> sealed;
    if (!out.sealed.empty()) sealed = key_.seal(out.id, out.sealed);
    row.envelope = core::encode({
        .id = out.id,
        .type = event.type->full,
        .saga = saga,
        .started = state_->row.started,
        .cause = origin_.cause,
        .source = contract_.service,
        .sequence = static_cast<std::uint64_t>(seq),
        .time = std::max(now_, origin_.time),
        .kind = out.kind,
        .step = out.step,
        .because = out.because,
        .hops = static_cast<std::uint16_t>(origin_.cause ? origin_.hops + 1 : 0),
        .trace = origin_.trace,
        .sealed = sealed,
        .payload = event.payload,
    });
    if (store_.outbox.insert(row, now_, std::nullopt)) published_.push_back(std::move(row));
    SAGA_FAILPOINT(outboxed);
}

void Executor::notice(std::string_view step, std::string_view why, int attempts, bool blocks,
                      const core::Message* event, std::string_view subject, Bytes message,
                      std::uint64_t stream_seq) {
    static const detail::EventType type{"saga.wire.DeadLetter", "wire", "DeadLetter", {}, {}};
    const core::Envelope about = event ? event->envelope() : core::Envelope{};
    const std::string_view saga = event ? about.saga : std::string_view(state_->row.id);
    const auto name = detail::split_type(about.type).name;

    flatbuffers::FlatBufferBuilder builder;
    const auto service_at = builder.CreateString(contract_.service);
    const auto reason_at = builder.CreateString(why.data(), why.size());
    const auto step_at = builder.CreateString(step.data(), step.size());
    const auto id_at = builder.CreateVector(about.id.bytes.data(), about.id.bytes.size());
    const auto subject_at = builder.CreateString(subject.data(), subject.size());
    const Bytes copy = message.first(std::min(message.size(), core::kMaxDeadLetterCopy));
    const auto message_at =
        builder.CreateVector(reinterpret_cast<const std::uint8_t*>(copy.data()), copy.size());
    builder.Finish(wire::CreateDeadLetter(builder, service_at, reason_at, step_at, attempts, id_at,
                                          subject_at, stream_seq, blocks, message_at));
    const auto* begin = reinterpret_cast<const std::byte*>(builder.GetBufferPointer());
    const std::vector<std::byte> payload(begin, begin + builder.GetSize());

    const std::int64_t seq = store_.outbox.next_seq();
    const std::string id = core::is_saga_id(saga) ? std::string(saga) : "unknown";
    const Time started = event ? about.started : now_;
    store::OutboxRow row{
        .seq = seq,
        .id = key_.id(started, {contract_.service, id, "notice", core::Role::notice,
                                static_cast<std::uint32_t>(seq), about.id}),
        .saga = 0,
        .subject = core::dead_letter_subject(contract_.service, name, saga),
        .envelope = {}};
    row.envelope = core::encode({.id = row.id,
                                 .type = type.full,
                                 .saga = id,
                                 .started = started,
                                 .cause = about.id,
                                 .source = contract_.service,
                                 .sequence = static_cast<std::uint64_t>(seq),
                                 .time = now_,
                                 .step = "notice",
                                 .payload = payload});
    store_.outbox.insert(row, now_, std::nullopt);
    published_.push_back(std::move(row));
}

}  // namespace saga::runtime
