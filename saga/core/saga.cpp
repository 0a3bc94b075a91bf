#include "saga/core/saga.hpp"

#include <algorithm>

#include "saga/core/limits.hpp"
#include "saga/core/payload_rules.hpp"

namespace saga::core {
namespace {

using detail::Type;

std::string_view name_of(const Envelope& event) {
    return detail::split_type(event.type).name;
}

/// The failure that this event tells of, if it tells of one; "?": of one that it does not name.
std::optional<std::string_view> failure_in(const Envelope& event) {
    if (event.kind == Kind::failed) return name_of(event);
    if (event.kind == Kind::undone) return event.because.empty() ? "?" : event.because;
    if (event.kind == Kind::ended && !event.because.empty()) return event.because;
    return std::nullopt;
}

}  // namespace

// ---- an event's roles ---------------------------------------------------------------------------

/// The place of the event in a step's signature.
std::optional<std::uint32_t> Saga::slot_of(const detail::StepCode& step, const Envelope& event) {
    for (std::uint32_t slot = 0; slot < step.starts_on.size(); ++slot) {
        const Type type = step.starts_on[slot];
        const bool any = type == &detail::kAnyFailure && event.kind == Kind::failed;
        if (any || type->full == event.type) return slot;
    }
    return std::nullopt;
}

bool Saga::takes(const detail::ReactionCode& reaction, const Envelope& event) {
    return reaction.on == &detail::kAnyEvent || reaction.on->full == event.type;
}

void Saga::on_event(const Message& event) {
    const Envelope& e = event.envelope();
    const std::optional<std::string_view> failure = failure_in(e);
    const bool starts = starts_something(contract_, e);
    const bool word = e.kind == Kind::ended && state_.row.key != 0;
    if (!failure && !starts && !word && !awaited(contract_, e)) return;
    if (state_.row.key == 0) {
        if (e.started < facts_.journal_from)
            return host_.dead_letter(event, {}, "stale: its saga is older than the journal here");
        state_.row.id = e.saga;
        state_.row.started = e.started;
        host_.know(state_.row);
    }
    if (too_late(e))
        host_.dead_letter(event, {},
                          "its saga has ended with " + state_.row.ended_by +
                              ": a failure after that undoes nothing");
    else if (failure)
        fail(*failure);
    if (e.kind == Kind::ended) end(name_of(e));
    hear(event);

    const bool waits_already = std::any_of(state_.parked.begin(), state_.parked.end(),
                                           [&](const ParkedRow& row) { return row.event == e.id; });
    if (starts && !waits_already) {
        if (!blocked() && !facts_.apart) {
            take_roles(event, next_place());
        } else if (!blocked()) {
            park({.place = next_place(), .event = e.id, .forward = e.forward()}, &event,
                 "an operator asks for another attempt", true);
        } else if (state_.parked.size() >= kMaxQueued) {
            host_.dead_letter(event, {}, "too many events of its saga wait before it");
        } else {
            park({.place = next_place(),
                  .event = e.id,
                  .forward = e.forward(),
                  .state = Parking::behind},
                 &event, "waits behind an earlier event of its saga");
        }
    }
    wake_later(&e.id);
    settle();
}

bool Saga::has_role(const detail::Contract& contract, const Envelope& event) {
    return event.kind == Kind::ended || failure_in(event) || starts_something(contract, event) ||
           awaited(contract, event);
}

bool Saga::starts_something(const detail::Contract& contract, const Envelope& event) {
    return std::any_of(contract.reactions.begin(), contract.reactions.end(),
                       [&](const auto& reaction) { return takes(reaction, event); }) ||
           std::any_of(contract.steps.begin(), contract.steps.end(),
                       [&](const auto& step) { return slot_of(step, event).has_value(); });
}

bool Saga::awaited(const detail::Contract& contract, const Envelope& event) {
    for (const detail::StepCode& step : contract.steps)
        for (const detail::Expects& expects : step.expects)
            for (const Type answer : expects.answers)
                if (answer->full == event.type) return true;
    return false;
}

/// The first role of a failure: needs only the envelope, never waits.
void Saga::fail(std::string_view failure) {
    std::vector<std::string>& failures = state_.row.failures;
    if (std::find(failures.begin(), failures.end(), failure) != failures.end()) return;
    const bool first = failures.empty();
    failures.emplace_back(failure);
    host_.mark(state_.row);
    if (first) {
        host_.drop_timers();
        for (const ParkedRow& row : std::vector(state_.parked)) {
            if (row.what == Waits::timer) unpark(row);
            if (row.what == Waits::step && row.forward) {
                if (const detail::StepCode* step = step_of(row.step))
                    bury(*step, step->once_per_event ? row.event : EventId{}, row.event, true);
                unpark(row);
            }
            if (row.what == Waits::event && row.forward && row.state == Parking::dead) {
                ParkedRow again = row;  // its steps are tombstones now: that needs no sound payload
                again.state = Parking::behind;
                park(again, nullptr, "its saga has failed", true);
            }
        }
        for (const Arrived& half : std::vector(state_.arrived)) {
            const detail::StepCode* step = step_of(half.step);
            if (step != nullptr && half.forward && row_of(half.step, half.run) == nullptr)
                bury(*step, half.run, EventId{}, true);
        }
    }
    undo_all();
}

void Saga::end(std::string_view word) {
    if (state_.ended()) return;
    state_.row.ended_by = word;
    host_.mark(state_.row);
    host_.drop_timers();
    for (const ParkedRow& row : std::vector(state_.parked))
        if (row.what == Waits::timer) unpark(row);
}

/// Whoever expected the event waits no more.
void Saga::hear(const Message& event) {
    const Envelope& e = event.envelope();
    if (!awaited(contract_, e) || host_.reacted("expect", e.id)) return;
    host_.remember("expect", event);
    for (const StepRow& row : state_.steps) {
        const detail::StepCode* step = step_of(row.step);
        if (step == nullptr) continue;
        for (std::size_t each = 0; each < step->expects.size(); ++each) {
            const std::uint32_t nth = deadline_of(*step, each);
            const std::vector<Type>& answers = step->expects[each].answers;
            if (std::none_of(answers.begin(), answers.end(),
                             [&](Type answer) { return answer->full == e.type; }))
                continue;
            host_.drop_timer(row, nth);
            for (const ParkedRow& parked : std::vector(state_.parked))
                if (parked.what == Waits::timer && parked.step == row.step &&
                    parked.run == row.run && parked.nth == nth)
                    unpark(parked);
        }
    }
}

/// Why no handler may see the event, or null.
const char* Saga::unfit(const Envelope& event) const {
    if (event.hops > kMaxHops) return "it is too many events away from its saga's first: a cycle?";
    const auto unsound = [&](Type type) {
        return type->full == event.type && !is_sound(*type, event.payload);
    };
    const bool bad =
        std::any_of(contract_.reactions.begin(), contract_.reactions.end(),
                    [&](const auto& reaction) { return unsound(reaction.on); }) ||
        std::any_of(contract_.steps.begin(), contract_.steps.end(), [&](const auto& step) {
            return std::any_of(step.starts_on.begin(), step.starts_on.end(), unsound);
        });
    return bad ? "its payload is no sound table of its type" : nullptr;
}

/// A failure of a saga that has ended with success: an alarm, which only reactions see.
bool Saga::too_late(const Envelope& event) const {
    return failure_in(event).has_value() && state_.ended() && !state_.failed();
}

/// Whether a handler would see the event now.
bool Saga::wanted(const Envelope& event) const {
    const auto reacts = [&](const detail::ReactionCode& reaction) {
        return takes(reaction, event) && !host_.reacted(reaction.on->name, event.id);
    };
    const auto runs = [&](const detail::StepCode& step) {
        const auto slot = slot_of(step, event);
        return slot && on_trigger(facts_of(step, event, *slot, {})) == OnTrigger::run;
    };
    return std::any_of(contract_.reactions.begin(), contract_.reactions.end(), reacts) ||
           (!too_late(event) && std::any_of(contract_.steps.begin(), contract_.steps.end(), runs));
}

void Saga::take_roles(const Message& event, std::uint32_t place) {
    const Envelope& e = event.envelope();
    if (const char* why = unfit(e); why != nullptr && wanted(e))
        return park({.place = place, .event = e.id, .forward = e.forward(), .state = Parking::dead},
                    &event, why);
    const bool only_reactions = too_late(e);
    for (const detail::ReactionCode& reaction : contract_.reactions)
        if (takes(reaction, e)) react(reaction, event, {.place = place});
    for (const detail::StepCode& step : contract_.steps)
        if (!only_reactions && slot_of(step, e)) trigger(step, event, {.place = place});
}

void Saga::react(const detail::ReactionCode& reaction, const Message& event, ParkedRow waiting) {
    const Envelope& e = event.envelope();
    const std::string_view name = reaction.on->name;
    if (host_.reacted(name, e.id)) return unpark(waiting);
    const Attempt attempt = host_.react(reaction, event);
    if (attempt.result == Result::success) {
        host_.remember(name, event);
        return unpark(waiting);
    }
    waiting.what = Waits::reaction;
    waiting.step = name;
    waiting.event = e.id;
    waiting.forward = e.forward();
    wait(waiting, &event, attempt);
}

void Saga::trigger(const detail::StepCode& step, const Message& event, ParkedRow waiting) {
    const Envelope& e = event.envelope();
    const std::uint32_t slot = slot_of(step, e).value_or(0);
    switch (on_trigger(facts_of(step, e, slot, waiting))) {
        case OnTrigger::run:
            return start(step, event, slot, std::move(waiting));
        case OnTrigger::tombstone:
            bury(step, step.once_per_event ? e.id : EventId{}, e.id, true);
            break;
        case OnTrigger::duplicate:
            break;
        case OnTrigger::second:
            host_.dead_letter(event, step.name,
                              "the step runs once in a saga and belongs to another event");
            break;
        case OnTrigger::ended:
            host_.dead_letter(event, step.name,
                              "it would end a saga that has ended with " + state_.row.ended_by);
            break;
    }
    unpark(waiting);
}

bool Saga::missed(const Message& event, const detail::ReactionCode& reaction) const {
    const Envelope& e = event.envelope();
    const bool fit = e.hops <= kMaxHops && is_sound(*reaction.on, e.payload);
    const auto waits = [&](const ParkedRow& row) {
        return row.what == Waits::reaction && row.step == reaction.on->name && row.event == e.id;
    };
    return takes(reaction, e) && fit && !host_.reacted(reaction.on->name, e.id) &&
           std::none_of(state_.parked.begin(), state_.parked.end(), waits);
}

void Saga::on_missed(const Message& event, const detail::ReactionCode& reaction) {
    const Envelope& e = event.envelope();
    if (!missed(event, reaction)) return;
    if (state_.row.key == 0) {
        state_.row.id = e.saga;
        state_.row.started = e.started;
        host_.know(state_.row);
    }
    react(reaction, event, {.place = next_place()});
    settle();
}

// ---- items that are no new event ----------------------------------------------------------------

void Saga::on_retry(ParkedRow row, const Message* event) {
    switch (row.what) {
        case Waits::event:
            if (row.state == Parking::dropped) {
                pass_over(row, event);
            } else {
                unpark(row);
                take_roles(*event, row.place);
            }
            break;
        case Waits::step:
            if (const detail::StepCode* step = step_of(row.step)) {
                trigger(*step, *event, row);
            } else {
                row.state = Parking::dead;
                park(row, nullptr, "this build has no step " + row.step);
            }
            break;
        case Waits::reaction: {
            const auto reaction =
                std::find_if(contract_.reactions.begin(), contract_.reactions.end(),
                             [&](const auto& each) { return each.on->name == row.step; });
            if (reaction == contract_.reactions.end())
                unpark(row);  // the read model that it was for is gone
            else
                react(*reaction, *event, row);
            break;
        }
        case Waits::undo: {
            const StepRow* standing = row_of(row.step, row.run);
            if (standing != nullptr && standing->state == StepState::undoing)
                undo(*standing, row);
            else
                unpark(row);
            break;
        }
        case Waits::timer:
            if (const StepRow* standing = row_of(row.step, row.run))
                fire(*standing, row.nth, row);
            else
                unpark(row);
            break;
        case Waits::call:
            break;  // only an operator moves it
    }
    if (!waits(row)) wake_later(row.what == Waits::event ? &row.event : nullptr);
    settle();
}

void Saga::on_answer(const StepRow& asked, Part part, Bytes answer) {
    const StepRow* standing = row_of(asked.step, asked.run);
    const detail::StepCode* step = step_of(asked.step);
    const StepState open = part == Part::step ? StepState::calling : StepState::undoing;
    if (standing == nullptr || step == nullptr || standing->state != open)
        return host_.close_call(asked, part);
    const StepRow row = *standing;
    const Attempt attempt = host_.settle(*step, row, part, answer);
    if (attempt.result == Result::success || attempt.result == Result::failure) {
        host_.close_call(row, part);
        if (const ParkedRow* dead = dead_call(row, part)) unpark(ParkedRow(*dead));
        if (part == Part::undo) {
            settle_undo(*step, row, attempt, {});
        } else {
            attempt.result == Result::success ? finish(*step, row, attempt)
                                              : fail_step(*step, row, attempt);
        }
        wake_later();
    } else if (!host_.retry_call(row, part, attempt.why, false)) {
        on_dead_call(row, part, attempt.why);
    }
    settle();
}

void Saga::on_dead_call(const StepRow& row, Part part, std::string_view why) {
    if (dead_call(row, part) != nullptr) return;
    park({.place = next_place(),
          .what = Waits::call,
          .step = row.step,
          .nth = static_cast<std::uint32_t>(part),
          .run = row.run,
          .forward = row.forward,
          .state = Parking::dead},
         nullptr, why);
}

void Saga::on_timer(const StepRow& row, std::uint32_t nth) {
    host_.drop_timer(row, nth);
    const StepRow* standing = row_of(row.step, row.run);
    if (standing != nullptr && !state_.failed() && !state_.ended())
        fire(*standing, nth, {.place = next_place()});
    settle();
}

void Saga::on_operation(Operation operation, ParkedRow row, const Message* event) {
    StepRow* standing = row_of(row.step, row.run);
    if (operation != Operation::retry) {
        pass_over(row, event);
        if (operation == Operation::drop && row.blocks())
            for (ParkedRow behind : std::vector(state_.parked)) {
                if (behind.state != Parking::behind || behind.place <= row.place) continue;
                behind.state = Parking::dropped;
                park(behind, nullptr, "dropped with the event before it");
            }
    } else if (row.what == Waits::call) {
        unpark(row);
        if (standing != nullptr) host_.retry_call(*standing, static_cast<Part>(row.nth), {}, true);
    } else {
        if (row.what == Waits::undo && standing != nullptr) {
            standing->state = StepState::undoing;
            put(StepRow(*standing));
        }
        const bool in_turn = row.follows();  // its saga's order stands above an operator's word
        row.attempts = 0;
        row.state = in_turn ? Parking::behind : Parking::retry;
        park(row, nullptr, "an operator asks for another attempt", !in_turn);
    }
    settle();
}

}  // namespace saga::core
