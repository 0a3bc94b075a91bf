#include "saga/core/policy.hpp"

namespace saga::core {

OnTrigger on_trigger(const Trigger& trigger) {
    const bool known = trigger.state.has_value() || trigger.waits;
    if (known) {
        // A step on saga::Failed belongs to no failure in particular, and to a tombstone of a
        // failed saga any trigger comes too late: neither is anybody's mistake.
        const bool too_late = trigger.state == StepState::tombstone && trigger.saga_failed;
        const bool expected = trigger.same_event || trigger.any_failure || too_late;
        return expected ? OnTrigger::duplicate : OnTrigger::second;
    }
    if (trigger.forward && trigger.saga_failed) return OnTrigger::tombstone;
    if (trigger.second_end) return OnTrigger::ended;
    return OnTrigger::run;
}

OnFailure on_failure(const Standing& standing) {
    if (standing.cleanup || !standing.undoable) return OnFailure::nothing;
    switch (standing.state) {
        case StepState::done:
            return OnFailure::undo;
        case StepState::calling:
            return OnFailure::undo_after_answer;
        case StepState::failed:
        case StepState::undoing:
        case StepState::undone:
        case StepState::undo_failed:
        case StepState::tombstone:
            return OnFailure::nothing;
    }
    return OnFailure::nothing;
}

}  // namespace saga::core
