#include "saga/core/policy.hpp"

#include <doctest/doctest.h>

#include <array>

using namespace saga::core;

namespace {

constexpr std::array kStates{StepState::calling,  StepState::done,   StepState::failed,
                             StepState::undoing,  StepState::undone, StepState::undo_failed,
                             StepState::tombstone};

/// Every combination of what is known when an event arrives that starts a step.
template <class Check>
void for_all_triggers(Check check) {
    for (unsigned bits = 0; bits < 1u << 6; ++bits)
        for (std::size_t state = 0; state <= kStates.size(); ++state) {
            Trigger trigger{.waits = (bits & 1) != 0,
                            .same_event = (bits & 2) != 0,
                            .forward = (bits & 4) != 0,
                            .any_failure = (bits & 8) != 0,
                            .saga_failed = (bits & 16) != 0,
                            .second_end = (bits & 32) != 0};
            if (state < kStates.size()) trigger.state = kStates[state];
            CAPTURE(bits);
            CAPTURE(state);
            check(trigger);
        }
}

}  // namespace

TEST_CASE("policy: what a delivery means for a step that it starts") {
    struct Row {
        const char* delivery;
        Trigger trigger;
        OnTrigger action;
    };
    const Row rows[]{
        {"forward, none, the saga goes on", {}, OnTrigger::run},
        {"forward, none, the saga failed here", {.saga_failed = true}, OnTrigger::tombstone},
        {"forward, none, failed and ended",
         {.saga_failed = true, .second_end = true},
         OnTrigger::tombstone},
        {"forward, none, it would end the saga a second time",
         {.second_end = true},
         OnTrigger::ended},
        {"way back, none, the saga failed here",
         {.forward = false, .saga_failed = true},
         OnTrigger::run},
        {"way back, none, it would end the saga a second time",
         {.forward = false, .saga_failed = true, .second_end = true},
         OnTrigger::ended},
        {"any failure, none",
         {.forward = false, .any_failure = true, .saga_failed = true},
         OnTrigger::run},
        {"same event, parked or arrived",
         {.waits = true, .same_event = true},
         OnTrigger::duplicate},
        {"another event, parked or arrived", {.waits = true}, OnTrigger::second},
        {"another failure, where one is parked",
         {.waits = true, .forward = false, .any_failure = true, .saga_failed = true},
         OnTrigger::duplicate},
        {"another event, tombstone of a failed saga: it comes too late",
         {.state = StepState::tombstone, .saga_failed = true},
         OnTrigger::duplicate},
        {"another event, tombstone that an operator laid",
         {.state = StepState::tombstone},
         OnTrigger::second},
    };
    for (const Row& row : rows) {
        CAPTURE(row.delivery);
        CHECK(on_trigger(row.trigger) == row.action);
    }
}

TEST_CASE("policy: what a delivery means for a step that stands in the journal") {
    for (const StepState state : kStates) {
        CAPTURE(static_cast<int>(state));
        Trigger trigger{.state = state};
        CHECK(on_trigger(trigger) == OnTrigger::second);
        trigger.any_failure = true;  // any failure is as good as the one that started it
        CHECK(on_trigger(trigger) == OnTrigger::duplicate);
        for (const bool failed : {false, true}) {
            trigger = {.state = state, .same_event = true, .saga_failed = failed};
            CHECK(on_trigger(trigger) == OnTrigger::duplicate);
        }
    }
}

TEST_CASE("policy: nothing known ever runs, nothing forward runs in a failed saga") {
    for_all_triggers([](const Trigger& trigger) {
        if (on_trigger(trigger) != OnTrigger::run) return;
        CHECK_FALSE(trigger.state.has_value());
        CHECK_FALSE(trigger.waits);
        CHECK_FALSE((trigger.forward && trigger.saga_failed));
        CHECK_FALSE(trigger.second_end);
    });
}

TEST_CASE("policy: a tombstone is laid only where nothing stands") {
    for_all_triggers([](const Trigger& trigger) {
        const bool bare = !trigger.state && !trigger.waits;
        const bool laid = on_trigger(trigger) == OnTrigger::tombstone;
        CHECK(laid == (bare && trigger.forward && trigger.saga_failed));
    });
}

TEST_CASE("policy: what a failure means for a step that it undoes") {
    struct Row {
        StepState state;
        OnFailure action;
    };
    const Row rows[]{{StepState::done, OnFailure::undo},
                     {StepState::calling, OnFailure::undo_after_answer},
                     {StepState::undoing, OnFailure::nothing},
                     {StepState::undone, OnFailure::nothing},
                     {StepState::undo_failed, OnFailure::nothing},
                     {StepState::failed, OnFailure::nothing},
                     {StepState::tombstone, OnFailure::nothing}};
    CHECK(std::size(rows) == std::size(kStates));
    for (const Row& row : rows) {
        CAPTURE(static_cast<int>(row.state));
        CHECK(on_failure({.state = row.state, .undoable = true}) == row.action);
    }
}

TEST_CASE("policy: a failure leaves alone what it does not undo, and steps of the way back") {
    for (const StepState state : kStates) {
        CAPTURE(static_cast<int>(state));
        CHECK(on_failure({.state = state, .undoable = false}) == OnFailure::nothing);
        CHECK(on_failure({.state = state, .cleanup = true, .undoable = true}) ==
              OnFailure::nothing);
    }
}
