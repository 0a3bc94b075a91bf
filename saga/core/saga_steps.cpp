// A step's run, its undo, and what waits.
#include <algorithm>

#include "saga/core/backoff.hpp"
#include "saga/core/limits.hpp"
#include "saga/core/saga.hpp"

namespace saga::core {
namespace {

const detail::StepCode* find_step(const detail::Contract& contract, std::string_view name) {
    for (const detail::StepCode& step : contract.steps)
        if (step.name == name) return &step;
    return nullptr;
}

}  // namespace

bool undoable(const detail::Contract& contract, const SagaState& state, const StepRow& row) {
    const detail::StepCode* step = find_step(contract, row.step);
    if (step == nullptr) return row.kept;  // of another build: it may have had one
    if (step->fate != detail::Fate::undo) return false;
    const auto& on = step->undone_on;
    const auto names = [&](detail::Type type) {
        const auto& failures = state.row.failures;
        return std::find(failures.begin(), failures.end(), type->name) != failures.end();
    };
    return on.empty() || std::any_of(on.begin(), on.end(), names);
}

bool finished(const detail::Contract& contract, const SagaState& state) {
    if (!state.parked.empty()) return false;
    if (state.ended() && !state.failed()) return true;
    if (!state.failed()) return false;
    return std::none_of(state.steps.begin(), state.steps.end(), [&](const StepRow& row) {
        const bool open = row.state == StepState::calling || row.state == StepState::undoing ||
                          row.state == StepState::undo_failed;
        const Standing standing{row.state, !row.forward, undoable(contract, state, row)};
        return open || on_failure(standing) != OnFailure::nothing;
    });
}

// ---- running a step -----------------------------------------------------------------------------

Trigger Saga::facts_of(const detail::StepCode& step, const Envelope& event, std::uint32_t slot,
                       const ParkedRow& waiting) const {
    Trigger facts;
    facts.forward = event.forward();
    facts.any_failure = step.on_any_failure();
    facts.saga_failed = state_.failed();
    facts.second_end = step.ends_saga && state_.ended();
    const EventId run = step.once_per_event ? event.id : EventId{};
    if (const StepRow* row = row_of(step.name, run)) {
        facts.state = row->state;
        facts.same_event = row->event == event.id;
    }
    for (const Arrived& half : state_.arrived) {
        if (half.step != step.name || half.run != run || half.slot != slot) continue;
        facts.waits = true;
        facts.same_event = facts.same_event || half.event == event.id;
    }
    for (const ParkedRow& row : state_.parked) {
        if (row.what != Waits::step || row.step != step.name) continue;
        if (row.position == waiting.position) continue;  // this very attempt
        if (step.once_per_event && row.event != event.id) continue;
        facts.waits = true;
        facts.same_event = facts.same_event || row.event == event.id;
    }
    return facts;
}

void Saga::start(const detail::StepCode& step, const Message& event, std::uint32_t slot,
                 ParkedRow waiting) {
    const Envelope& e = event.envelope();
    StepRow row{.step = step.name,
                .run = step.once_per_event ? e.id : EventId{},
                .event = e.id,
                .nth = next_nth(),
                .forward = e.forward()};
    if (!complete(step, slot)) {
        keep(step, row, slot, event);
        return unpark(waiting);
    }
    const Attempt attempt = host_.run(step, event);
    switch (attempt.result) {
        case Result::success:
            unpark(waiting);
            return finish(step, row, attempt);
        case Result::failure:
            unpark(waiting);
            return fail_step(step, row, attempt);
        case Result::asked:
            unpark(waiting);
            keep(step, row, slot, event);
            row.state = StepState::calling;
            put(row);
            return host_.open_call(row, Part::step, attempt.events.front());
        default:
            waiting.what = Waits::step;
            waiting.step = step.name;
            waiting.event = e.id;
            waiting.forward = e.forward();
            return wait(waiting, &event, attempt);
    }
}

/// Whether the other halves of a join have arrived.
bool Saga::complete(const detail::StepCode& step, std::uint32_t slot) const {
    for (std::uint32_t other = 0; other < step.starts_on.size(); ++other) {
        const bool here = std::any_of(
            state_.arrived.begin(), state_.arrived.end(),
            [&](const Arrived& half) { return half.step == step.name && half.slot == other; });
        if (other != slot && !here) return false;
    }
    return true;
}

void Saga::keep(const detail::StepCode& step, const StepRow& row, std::uint32_t slot,
                const Message& event) {
    const Arrived half{.step = step.name,
                       .run = row.run,
                       .slot = slot,
                       .event = event.envelope().id,
                       .forward = row.forward};
    host_.keep(half, event);
    state_.arrived.push_back(half);
}

void Saga::finish(const detail::StepCode& step, StepRow row, const Attempt& attempt) {
    row.state = StepState::done;
    row.nth = next_nth();
    put(row, &step, &attempt);
    if (step.starts_on.size() > 1 || step.code.calls()) host_.used(row);
    const Kind direction = row.forward ? Kind::done : Kind::undone;
    host_.publish({.events = attempt.events,
                   .kind = step.ends_saga ? Kind::ended : direction,
                   .rest = direction,
                   .step = step.name,
                   .role = Role::outcome,
                   .run = row.run,
                   .because = row.forward && !step.ends_saga ? std::string_view{} : because()});
    if (step.ends_saga && !attempt.events.empty()) end(attempt.events.front().type->name);
    if (!state_.failed() && !state_.ended()) set_timers(step, row);
    // A call that was open when the saga failed.
    const Standing standing{StepState::done, !row.forward, undoable(contract_, state_, row)};
    if (state_.failed() && on_failure(standing) == OnFailure::undo)
        undo(row, {.place = next_place()});
}

void Saga::fail_step(const detail::StepCode& step, StepRow row, const Attempt& attempt) {
    row.state = StepState::failed;
    put(row, &step, &attempt);
    const std::string_view failure = attempt.events.front().type->name;
    host_.publish({.events = attempt.events,
                   .kind = Kind::failed,
                   .rest = Kind::failed,
                   .step = step.name,
                   .role = Role::outcome,
                   .run = row.run,
                   .because = failure});
    if (state_.ended() && !state_.failed()) return;  // undoes nothing: read back, it is an alarm
    fail(failure);
}

void Saga::bury(const detail::StepCode& step, const EventId& run, const EventId& event,
                bool forward) {
    if (row_of(step.name, run) != nullptr) return;
    put({.step = step.name,
         .run = run,
         .event = event,
         .state = StepState::tombstone,
         .nth = next_nth(),
         .forward = forward});
    const auto its = [&](const Arrived& half) { return half.step == step.name && half.run == run; };
    for (const Arrived& half : state_.arrived)
        if (its(half)) host_.drop(half);
    std::erase_if(state_.arrived, its);
}

void Saga::set_timers(const detail::StepCode& step, const StepRow& row) {
    for (std::uint32_t nth = 0; nth < step.expects.size(); ++nth)
        if (!host_.read_any(step.expects[nth].answers))
            host_.set_timer(row, nth, step.expects[nth].after);
}

void Saga::fire(const StepRow& row, std::uint32_t nth, ParkedRow waiting) {
    const detail::StepCode* step = step_of(row.step);
    if (step == nullptr || nth >= step->expects.size()) return unpark(waiting);
    const Attempt attempt = host_.fire(*step, row, nth);
    if (attempt.result == Result::success) {
        unpark(waiting);
        return host_.publish({.events = attempt.events,
                              .step = step->name,
                              .role = Role::timer,
                              .first_slot = nth << 16,
                              .run = row.run});
    }
    waiting.what = Waits::timer;
    waiting.step = row.step;
    waiting.run = row.run;
    waiting.nth = nth;
    wait(waiting, nullptr, attempt);
}

// ---- the way back -------------------------------------------------------------------------------

void Saga::undo_all() {
    std::vector<StepRow> rows = state_.steps;
    std::sort(rows.begin(), rows.end(),
              [](const StepRow& a, const StepRow& b) { return a.nth > b.nth; });
    for (const StepRow& row : rows)
        if (on_failure({row.state, !row.forward, undoable(contract_, state_, row)}) ==
            OnFailure::undo)
            undo(row, {.place = next_place()});
}

void Saga::undo(StepRow row, ParkedRow waiting) {
    const detail::StepCode* step = step_of(row.step);
    waiting.what = Waits::undo;
    waiting.step = row.step;
    waiting.run = row.run;
    waiting.forward = false;
    if (step == nullptr || (facts_.careful && waiting.position == 0)) {
        row.state = step == nullptr ? StepState::undo_failed : StepState::undoing;
        put(row);
        if (step == nullptr) waiting.state = Parking::dead;
        if (step == nullptr) return park(waiting, nullptr, "this build has no step " + row.step);
        return park(waiting, nullptr, "the last stop was unclean: one undo at a time", true);
    }
    settle_undo(*step, row, host_.undo(*step, row), waiting);
}

void Saga::settle_undo(const detail::StepCode& step, StepRow row, const Attempt& attempt,
                       ParkedRow waiting) {
    switch (attempt.result) {
        case Result::success:
            unpark(waiting);
            row.state = StepState::undone;
            put(row, &step, &attempt);
            return host_.publish({.events = attempt.events,
                                  .kind = Kind::undone,
                                  .rest = Kind::undone,
                                  .step = step.name,
                                  .role = Role::undo,
                                  .run = row.run,
                                  .because = because()});
        case Result::asked:
            unpark(waiting);
            row.state = StepState::undoing;
            put(row);
            return host_.open_call(row, Part::undo, attempt.events.front());
        default:
            wait(waiting, nullptr, attempt);
            row.state = waiting.attempts + 1 >= most_attempts(Ladder::undo) ? StepState::undo_failed
                                                                            : StepState::undoing;
            return put(row);
    }
}

// ---- waiting ------------------------------------------------------------------------------------

std::uint32_t Saga::next_place() const {
    std::uint32_t last = 0;
    for (const ParkedRow& row : state_.parked) last = std::max(last, row.place);
    return last + 1;
}

bool Saga::blocked() const {
    return std::any_of(state_.parked.begin(), state_.parked.end(),
                       [](const ParkedRow& row) { return row.blocks(); });
}

/// Parks what could not be done, for another attempt or, after the last one, for an operator.
void Saga::wait(ParkedRow row, const Message* event, const Attempt& attempt) {
    const bool threw = attempt.result == Result::threw;
    const Ladder ladder = row.what == Waits::undo ? Ladder::undo
                          : threw                 ? Ladder::event
                                                  : Ladder::later;
    row.state = attempt.result == Result::later    ? Parking::later
                : attempt.result == Result::locked ? Parking::locked
                : attempt.result == Result::unlike ? Parking::unlike
                                                   : Parking::retry;
    if (++row.attempts >= most_attempts(ladder)) row.state = Parking::dead;
    park(row, row.position == 0 ? event : nullptr, attempt.why);
}

void Saga::park(ParkedRow row, const Message* event, std::string_view why, bool at_once) {
    const auto stands = std::find_if(
        state_.parked.begin(), state_.parked.end(),
        [&](const ParkedRow& each) { return row.position != 0 && each.position == row.position; });
    host_.park(row, event, why, at_once);
    if (stands != state_.parked.end())
        *stands = row;
    else
        state_.parked.push_back(row);
}

void Saga::unpark(const ParkedRow& row) {
    if (row.position == 0) return;
    host_.unpark(row);
    std::erase_if(state_.parked, [at = row.position](const auto& it) { return it.position == at; });
}

/// An operator's word: what waits here will never be done.
void Saga::pass_over(const ParkedRow& row, const Message* event) {
    StepRow* standing = row_of(row.step, row.run);
    const bool undo = row.what == Waits::undo ||
                      (row.what == Waits::call && static_cast<Part>(row.nth) == Part::undo);
    if (undo && standing != nullptr) {
        if (row.what == Waits::call) host_.close_call(*standing, Part::undo);
        standing->state = StepState::undone;
        put(StepRow(*standing));
    } else if (row.what == Waits::call && standing != nullptr) {
        host_.close_call(*standing, Part::step);
        standing->state = StepState::tombstone;
        put(StepRow(*standing));
    } else if (row.what == Waits::reaction) {
        host_.remember(row.step, *event);
    } else if (event != nullptr) {
        const Envelope& e = event->envelope();
        const bool whole = row.what == Waits::event;
        for (const detail::StepCode& step : contract_.steps)
            if (whole ? slot_of(step, e).has_value() : row.step == step.name)
                bury(step, step.once_per_event ? e.id : EventId{}, e.id, e.forward());
        for (const detail::ReactionCode& reaction : contract_.reactions)
            if (whole && takes(reaction, e)) host_.remember(reaction.on->name, *event);
    }
    unpark(row);
}

/// Of a call whose last attempt was made: what waits for an operator, or null.
const ParkedRow* Saga::dead_call(const StepRow& row, Part part) const {
    for (const ParkedRow& each : state_.parked)
        if (each.what == Waits::call && each.step == row.step && each.run == row.run &&
            each.nth == static_cast<std::uint32_t>(part))
            return &each;
    return nullptr;
}

/// The first of the events that wait in order has nothing before it any more.
void Saga::wake_next() {
    const ParkedRow* first = nullptr;
    for (const ParkedRow& row : state_.parked) {
        if (!row.blocks()) continue;
        const bool sooner = first == nullptr || row.place < first->place;
        const bool holds = first != nullptr && row.place == first->place && !row.follows();
        if (sooner || holds) first = &row;
    }
    if (first != nullptr && first->follows()) {
        ParkedRow due = *first;
        host_.park(due, nullptr, {}, true);
    }
}

void Saga::wake_later(const EventId& but) {
    for (ParkedRow row : state_.parked) {
        const bool looks_again = row.state == Parking::later || row.state == Parking::unlike;
        if (looks_again && row.event != but) host_.park(row, nullptr, {}, true);
    }
}

void Saga::settle() {
    if (!state_.parked.empty()) wake_next();
    if (finished(contract_, state_)) host_.release_locks();
}

// ---- small words --------------------------------------------------------------------------------

const detail::StepCode* Saga::step_of(std::string_view name) const {
    return find_step(contract_, name);
}

StepRow* Saga::row_of(std::string_view step, const EventId& run) const {
    for (StepRow& row : state_.steps)
        if (row.step == step && row.run == run) return &row;
    return nullptr;
}

std::uint32_t Saga::next_nth() const {
    std::uint32_t last = 0;
    for (const StepRow& row : state_.steps) last = std::max(last, row.nth);
    return last + 1;
}

void Saga::put(const StepRow& row, const detail::StepCode* ran, const Attempt* attempt) {
    if (ran != nullptr)
        host_.put_ran(*ran, row, *attempt);
    else
        host_.put(row);
    if (StepRow* standing = row_of(row.step, row.run))
        *standing = row;
    else
        state_.steps.push_back(row);
}

std::string_view Saga::because() const {
    return state_.failed() ? std::string_view(state_.row.failures.front()) : std::string_view{};
}

}  // namespace saga::core
