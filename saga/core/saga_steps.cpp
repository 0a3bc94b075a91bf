// A step's run and its undo.
#include <algorithm>

#include "saga/core/backoff.hpp"
#include "saga/core/saga.hpp"

namespace saga::core {

const detail::StepCode* find_step(const detail::Contract& contract, std::string_view name) {
    for (const detail::StepCode& step : contract.steps)
        if (step.name == name) return &step;
    return nullptr;
}

namespace {
/// What tells deadlines of a step apart. Never change: what is hashed of it is stored.
std::string words_of(const detail::Expects& expects) {
    std::vector<std::string_view> names;
    for (const detail::Type answer : expects.answers) names.push_back(answer->full);
    std::sort(names.begin(), names.end());
    std::string words;
    for (const std::string_view name : names) words.append(name).append(" ");
    return words.append(expects.asks.front().type->full);
}
}  // namespace

std::uint32_t deadline_of(const detail::StepCode& step, std::size_t nth) {
    const std::string words = words_of(step.expects[nth]);
    std::uint32_t hash = 2166136261U;  // FNV-1a, 32 bits
    for (const char c : words) hash = (hash ^ static_cast<std::uint8_t>(c)) * 16777619U;
    for (std::size_t before = 0; before < nth; ++before)
        hash += words_of(step.expects[before]) == words;
    return hash & 0xFFFFU;
}

const detail::Expects* find_deadline(const detail::StepCode& step, std::uint32_t deadline) {
    for (std::size_t nth = 0; nth < step.expects.size(); ++nth)
        if (deadline_of(step, nth) == deadline) return &step.expects[nth];
    return nullptr;
}

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
    const auto calls = [](const StepRow& row) { return row.state == StepState::calling; };
    if (state.ended() && !state.failed()) return std::ranges::none_of(state.steps, calls);
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
    for (std::size_t nth = 0; nth < step.expects.size(); ++nth)
        if (!host_.read_any(step.expects[nth].answers))
            host_.set_timer(row, deadline_of(step, nth), step.expects[nth].after);
}

void Saga::fire(const StepRow& row, std::uint32_t nth, ParkedRow waiting) {
    const detail::StepCode* step = step_of(row.step);
    if (step == nullptr || find_deadline(*step, nth) == nullptr) return unpark(waiting);
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
    const bool apart = (facts_.careful || facts_.apart) && waiting.position == 0;
    if (step == nullptr || apart) {
        row.state = step == nullptr ? StepState::undo_failed : StepState::undoing;
        put(row);
        if (step == nullptr) waiting.state = Parking::dead;
        if (step == nullptr) return park(waiting, nullptr, "this build has no step " + row.step);
        return park(waiting, nullptr, "it is tried by itself", true);
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
