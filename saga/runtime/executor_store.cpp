// What the rules decide, as rows.
#include <fmt/format.h>

#include <algorithm>

#include "saga/core/backoff.hpp"
#include "saga/core/limits.hpp"
#include "saga/core/payload_rules.hpp"
#include "saga/core/subject.hpp"
#include "saga/runtime/executor.hpp"
#include "saga/runtime/failpoints.hpp"
#include "saga/store/failpoint.hpp"

namespace saga::runtime {

void Executor::know(core::SagaRow& row) {
    store_.sagas.insert(row, now_);
}
void Executor::mark(const core::SagaRow& row) {
    store_.sagas.mark(row, now_);
}

void Executor::put(const core::StepRow& row) {
    store_.journal.put(state_->row.key, row);
    if (row.state == core::StepState::undone) store_.sagas.touch(state_->row.key, now_);
}

void Executor::put_ran(const detail::StepCode& step, const core::StepRow& row,
                       const core::Attempt& attempt) {
    std::string outcome;
    for (const detail::Emitted& event : attempt.events) {
        if (!outcome.empty()) outcome += ' ';
        outcome += event.type->name;
    }
    const bool keeps = row.state == core::StepState::done && step.keeps_result();
    const Bytes result = attempt.events.empty() ? result_ : attempt.events.front().payload;
    store_.journal.put_ran(state_->row.key, row, outcome,
                           keeps ? std::optional(result) : std::nullopt);
    if (row.state == core::StepState::undone) store_.sagas.touch(state_->row.key, now_);
    SAGA_FAILPOINT(journalled);
}

void Executor::keep(const core::Arrived& half, const core::Message& event) {
    store_.arrived.insert(state_->row.key, half, event.bytes());
}

void Executor::drop(const core::Arrived& half) {
    store_.arrived.erase(state_->row.key, half);
}

void Executor::used(const core::StepRow& row) {
    store_.arrived.forget_envelopes(state_->row.key, row.step, row.run);
}

bool Executor::reacted(std::string_view reaction, const EventId& event) {
    return store_.inbox.has(state_->row.key, event, reaction);
}

void Executor::remember(std::string_view reaction, const core::Message& event) {
    const core::Envelope& envelope = event.envelope();
    store_.inbox.insert(state_->row.key, envelope.id, reaction,
                        detail::split_type(envelope.type).name);
    store_.sagas.heard(state_->row.key, now_);
}

void Executor::park(core::ParkedRow& row, const core::Message* event, std::string_view why,
                    bool at_once) {
    using core::Parking;
    const bool by_itself =
        row.state != Parking::behind && row.state != Parking::dropped && row.state != Parking::dead;
    std::optional<Time> next_at;
    if (at_once) next_at = now_;
    if (!at_once && by_itself) next_at = now_ + core::backoff(row.attempts, random_.next());
    if (row.position == 0)
        store_.parked.insert(state_->row.key, row, event, why, next_at);
    else
        store_.parked.update(row, why, next_at);
    wait_in_queue(row);
    if (row.state != Parking::dead) return;
    if (event != nullptr)
        return notice(row.step, why, row.attempts, row.blocks(), event, {}, event->bytes(),
                      event->seq());
    const store::Parked::Event stands = store_.parked.event(row.position);
    const auto read = core::decode(stands.envelope);
    if (const auto* envelope = std::get_if<core::Envelope>(&read)) {
        const core::Message message(stands.envelope, *envelope, stands.stream_seq,
                                    stands.stored_at);
        notice(row.step, why, row.attempts, row.blocks(), &message, {}, stands.envelope,
               stands.stream_seq);
    } else {
        notice(row.step, why, row.attempts, row.blocks(), nullptr, {}, {}, 0);
    }
}

void Executor::unpark(const core::ParkedRow& row) {
    store_.parked.erase(state_->row.key, row);
    wake(store_.locks.leave(row.position));
}

bool Executor::read_any(std::span<const detail::Type> events) {
    return std::any_of(events.begin(), events.end(), [&](detail::Type type) {
        return store_.inbox.read(state_->row.key, type->name);
    });
}

store::Timers::Row Executor::timer_of(const core::StepRow& row, std::uint32_t nth) const {
    return {state_->row.key, row.step, row.run, nth};
}

void Executor::set_timer(const core::StepRow& row, std::uint32_t nth,
                         std::chrono::milliseconds after) {
    if (passed_over(core::Waits::timer, row.step, row.run, nth)) return;
#ifdef SAGA_FAILPOINTS
    after = shortened_deadline(after);
#endif
    store_.timers.insert(timer_of(row, nth), happened_ + after);
}

void Executor::drop_timer(const core::StepRow& row, std::uint32_t nth) {
    store_.timers.erase(timer_of(row, nth));
}

void Executor::drop_timers() {
    store_.timers.erase_all(state_->row.key);
}

void Executor::open_call(const core::StepRow& row, core::Part part,
                         const detail::Emitted& question) {
    store_.calls.insert({.saga = state_->row.key,
                         .step = row.step,
                         .run = row.run,
                         .part = part,
                         .question = question.payload},
                        now_);
}

bool Executor::retry_call(const core::StepRow& row, core::Part part, std::string_view why,
                          bool anew) {
    const auto call = store_.calls.find(state_->row.key, row.step, row.run, part);
    if (!call) return true;
    if (anew) {
        store_.calls.update(call->call, 0, now_, why);
        return true;
    }
    const detail::StepCode* step = core::find_step(contract_, row.step);
    const int attempts = call->attempts + 1;
    const bool last =
        step == nullptr ||
        attempts >= (part == core::Part::step ? step->code : step->undo).options.attempts;
    std::optional<Time> next_at;
    if (!last) next_at = now_ + core::backoff(attempts, random_.next());
    store_.calls.update(call->call, attempts, next_at, why);
    return !last;
}

void Executor::close_call(const core::StepRow& row, core::Part part) {
    store_.calls.erase(state_->row.key, row.step, row.run, part);
}

void Executor::release_locks() {
    if (!store_.locks.none()) wake(store_.locks.release(state_->row.key));
}

/// Whoever is next looks again, for somebody has let these go or waits for them no more.
void Executor::wake(const std::vector<std::string>& entities) {
    for (const std::string& entity : entities)
        if (const std::int64_t position = store_.locks.next(entity))
            store_.parked.wake_locked(position, now_);
}

/// A row that waits for locks stands in their queues, any other in none.
void Executor::wait_in_queue(const core::ParkedRow& row) {
    std::vector<std::string> left = store_.locks.leave(row.position);
    if (row.state == core::Parking::locked) {
        store_.locks.queue(row.position, state_->row.key, wanted_);
        std::erase_if(left, [&](const std::string& entity) {
            return std::find(wanted_.begin(), wanted_.end(), entity) != wanted_.end();
        });
    }
    wake(left);
}

void Executor::dead_letter(const core::Message& event, std::string_view step,
                           std::string_view why) {
    const core::Envelope& envelope = event.envelope();
    const std::string subject =
        origin_.subject.empty() ? core::subject_of(envelope) : std::string(origin_.subject);
    store_.aside.insert({.event_id = envelope.id,
                         .saga_id = std::string(envelope.saga),
                         .step = std::string(step),
                         .reason = std::string(why),
                         .subject = subject,
                         .message = {event.bytes().begin(), event.bytes().end()},
                         .stream_seq = event.seq(),
                         .stored_at = event.stored_at()},
                        now_);
    notice(step, why, 0, false, &event, subject, event.bytes(), event.seq());
}

void Executor::dead_message(std::string_view subject, Bytes message, std::uint64_t stream_seq,
                            core::StoreTime stored_at, std::string_view why) {
    SAGA_FAILPOINT(letter);
    message = message.first(std::min(message.size(), core::kMaxMessage));
    store_.aside.insert({.reason = std::string(why),
                         .subject = std::string(subject),
                         .message = {message.begin(), message.end()},
                         .stream_seq = stream_seq,
                         .stored_at = stored_at},
                        now_);
    notice({}, why, 0, false, nullptr, subject, message, stream_seq);
}

// ---- what follows a step is given --------------------------------------------------------------

namespace {
/// What a step's undo and its timers are given; null: what started the step.
const detail::EventType* kept_of(const detail::StepCode& step) {
    for (const detail::Emits& each : step.emits)
        if (each.kind != Kind::failed) return each.type;
    return nullptr;
}
}  // namespace

/// Why this build must not read what an earlier one kept of the step, if it must not.
std::optional<std::string> Executor::foreign(const detail::StepCode& step,
                                             const core::StepRow& row) {
    const auto [outcome, result] = store_.journal.kept(state_->row.key, row);
    if (const detail::EventType* type = kept_of(step)) {
        const std::string first = outcome.substr(0, outcome.find(' '));
        if (first == type->name && core::is_sound(*type, result)) return std::nullopt;
        return fmt::format("the step {} returned {}, and this build takes {} back", step.name,
                           first.empty() ? "nothing" : first, type->name);
    }
    Given given;
    bool whole = given.unpack(result) && given.bytes.size() == step.starts_on.size();
    for (std::size_t i = 0; whole && i < given.bytes.size(); ++i)
        whole = core::is_sound(*step.starts_on[i], given.bytes[i]);
    if (whole) return std::nullopt;
    return fmt::format("the step {} was started by other events than those of this build",
                       step.name);
}

Given Executor::given_to_answer(const detail::StepCode& step, const core::StepRow& row) {
    Given given;
    for (auto& half : store_.arrived.halves(state_->row.key, step.name, row.run))
        given.add(std::move(half.envelope));
    if (given.events.size() != step.starts_on.size())
        throw store::Broken(fmt::format("what started {} is gone", step.name));
    for (const AnyEvent& event : given.events) origin_.time = std::max(origin_.time, event.time);
    origin_.hops = given.hops;
    origin_.trace = given.trace;
    result_ = step.keeps_result() ? given.packed() : std::vector<std::byte>{};
    return given;
}

/// What the step returned; of one that returns nothing, what started it.
Given Executor::given_to_follow_up(const detail::StepCode& step, const core::StepRow& row) {
    const detail::EventType* success = kept_of(step);
    std::vector<std::byte> result = store_.journal.kept(state_->row.key, row).second;
    Given given;
    const auto add = [&](detail::Type type, Bytes payload) {
        given.events.push_back({row.event, type->full, state_->row.id, contract_.service,
                                Kind::done, origin_.time, payload});
    };
    if (success != nullptr) {
        add(success, given.bytes.emplace_back(std::move(result)));
    } else {
        SAGA_ASSERT(given.unpack(result) && given.bytes.size() == step.starts_on.size());
        for (std::size_t i = 0; i < given.bytes.size(); ++i) add(step.starts_on[i], given.bytes[i]);
    }
    answer_.clear();
    return given;
}

}  // namespace saga::runtime
