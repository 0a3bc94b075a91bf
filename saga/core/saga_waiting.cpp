// What waits: for another attempt, for what comes before it, for an operator.
#include <algorithm>

#include "saga/core/backoff.hpp"
#include "saga/core/saga.hpp"

namespace saga::core {

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
    const bool deadlock = attempt.result == Result::deadlock;  // time alone resolves none
    const Ladder ladder = row.what == Waits::undo ? Ladder::undo
                          : threw || deadlock     ? Ladder::event
                                                  : Ladder::later;
    row.state = attempt.result == Result::later                ? Parking::later
                : deadlock || attempt.result == Result::locked ? Parking::locked
                : attempt.result == Result::unlike             ? Parking::unlike
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

bool Saga::waits(const ParkedRow& row) const {
    return std::any_of(state_.parked.begin(), state_.parked.end(),
                       [&](const ParkedRow& each) { return each.position == row.position; });
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
    } else if (row.what == Waits::timer && standing != nullptr) {
        host_.drop_timer(*standing, row.nth);
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

/// Something was done that they may wait for. The attempt that follows is none of theirs: they only
/// look again. `but`: they have just said so themselves.
void Saga::wake_later(const EventId* but) {
    for (ParkedRow row : std::vector(state_.parked)) {
        const bool looks_again = row.state == Parking::later || row.state == Parking::unlike;
        if (!looks_again || (but != nullptr && row.event == *but)) continue;
        row.attempts = std::max(row.attempts - 1, 0);
        park(row, nullptr, {}, true);
    }
}

void Saga::settle() {
    if (!state_.parked.empty()) wake_next();
    if (finished(contract_, state_)) host_.release_locks();
}

}  // namespace saga::core
