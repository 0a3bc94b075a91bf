// What a delivery means for a step: the decision table, as pure functions of what is known.
#pragma once

#include <cstdint>
#include <optional>
#include <saga/detail/contract.hpp>

namespace saga::core {

/// What the journal says of a step of a saga. Never change: stored.
enum class StepState : std::uint8_t {
    calling = 1,      ///< its call is open
    done = 2,         ///< it succeeded
    failed = 3,       ///< it returned a failure
    undoing = 4,      ///< its undo waits: for its call, or for another attempt
    undone = 5,       ///< it was taken back
    undo_failed = 6,  ///< its undo gave up and waits for an operator
    tombstone = 7,    ///< it will never run
};

/// What stands here when an event arrives that starts a step.
struct Trigger {
    std::optional<StepState> state;  ///< of the journal's row, if any
    bool waits = false;              ///< parked, or as a half of a join: arrived
    bool same_event = false;         ///< what stands here is due to this very event
    bool forward = true;             ///< the event is none of the way back
    bool any_failure = false;        ///< the step is on saga::Failed
    bool saga_failed = false;        ///< here
    bool second_end = false;         ///< the step would end the saga, which has ended
};

enum class OnTrigger : std::uint8_t {
    run,        ///< or, of a join that is not complete: keep the half
    tombstone,  ///< note that it will never run
    duplicate,  ///< nothing
    second,     ///< dead letter: another event than the one that this step belongs to
    ended,      ///< dead letter: the saga has its last word
};

OnTrigger on_trigger(const Trigger& trigger);

/// What stands here when a failure arrives.
struct Standing {
    StepState state = StepState::done;
    bool cleanup = false;   ///< it was started by a failure or on the way back
    bool undoable = false;  ///< it declares an undo, and for this failure
};

enum class OnFailure : std::uint8_t {
    nothing,
    undo,
    undo_after_answer,  ///< its call is open: await the answer, settle, undo
};

OnFailure on_failure(const Standing& standing);

}  // namespace saga::core
