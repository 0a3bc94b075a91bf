#include "saga/runtime/executor.hpp"

#include <algorithm>

#include "engine_generated.h"
#include "saga/core/backoff.hpp"
#include "saga/core/limits.hpp"
#include "saga/core/payload_rules.hpp"
#include "saga/core/subject.hpp"
#include "saga/core/text.hpp"
#include "saga/runtime/handler_port.hpp"
#include "saga/runtime/operations.hpp"
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
    now_ = happened_ = now;
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

/// What an operator passed over, if it is that.
std::optional<Attempt> Executor::passed_over(core::Waits what, std::string_view step,
                                             const EventId& of, std::uint32_t nth) const {
    const auto said = [&](core::Waits about, std::string_view name) {
        return passed_over_.contains(
            {state_->row.id, std::string(name_of(about)), std::string(name), of, nth});
    };
    if (passed_over_.empty() || !(said(what, step) || said(core::Waits::event, {})))
        return std::nullopt;
    return Attempt{Result::unlike,
                   {},
                   "an operator passed it over, in a life that this database does not know"};
}

Attempt Executor::run(const detail::StepCode& step, const core::Message& trigger) {
    if (auto passed = passed_over(core::Waits::step, step.name, trigger.envelope().id))
        return *passed;
    const EventId run = step.once_per_event ? trigger.envelope().id : EventId{};
    const Given given = given_to(step, trigger);
    for (const AnyEvent& event : given.events) origin_.time = std::max(origin_.time, event.time);
    if (auto recorded =
            on_record(step.code, step.emits, step.name, core::Role::outcome, run, given))
        return *std::move(recorded);
    return run_code(step.code, Locking::in_turn, given);
}

Attempt Executor::react(const detail::ReactionCode& reaction, const core::Message& event) {
    if (auto passed = passed_over(core::Waits::reaction, reaction.on->name, event.envelope().id))
        return *passed;
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
    if (auto passed = passed_over(core::Waits::undo, step.name, row.run)) return *passed;
    if (auto why = foreign(step, row)) return {Result::threw, {}, std::move(*why)};
    // The time is its event's, whatever it is that undoes it; what else that sets off has its own.
    const Time before = std::exchange(origin_.time, std::max(origin_.time, now_));
    const Given given = given_to_follow_up(step, row);
    auto recorded = on_record(step.undo, step.undone, step.name, core::Role::undo, row.run, given);
    Attempt attempt = recorded ? *std::move(recorded) : run_code(step.undo, Locking::none, given);
    origin_.time = before;
    return attempt;
}

Attempt Executor::fire(const detail::StepCode& step, const core::StepRow& row, std::uint32_t nth) {
    if (auto passed = passed_over(core::Waits::timer, step.name, row.run, nth)) return *passed;
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

}  // namespace saga::runtime
