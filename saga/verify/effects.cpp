// I1: a step's effect and its undo happen once at most, and no undo without its effect.
#include <algorithm>

#include "saga/verify/checks.hpp"

namespace saga::verify {
namespace {

using core::StepState;

/// What a step published, by what it means; a name that means two things tells nothing.
struct Said {
    bool done = false, failed = false, undone = false;
};
Said said_of(const Step& step, const StepRow& row) {
    Said said;
    for (const std::string& name : row.outcome) {
        const bool done = step.done.contains(name), failed = step.failed.contains(name),
                   undone = step.undone.contains(name);
        if (done + failed + undone != 1) continue;
        said.done = said.done || done;
        said.failed = said.failed || failed;
        said.undone = said.undone || undone;
    }
    return said;
}

/// What a step in this state cannot have published.
const char* contradiction(StepState state, const Step& step, const Said& said) {
    const bool took_back = said.undone && !said.done && !step.done.empty();
    switch (state) {
        case StepState::calling:
        case StepState::tombstone:
            if (said.done) return "a success";
            if (said.failed) return "a failure";
            return said.undone ? "an undo" : nullptr;
        case StepState::done:
        case StepState::undoing:
        case StepState::undo_failed:
            if (said.failed) return "a failure";
            return said.undone ? "an undo" : nullptr;
        case StepState::failed:
            if (said.done) return "a success";
            return said.undone ? "an undo" : nullptr;
        case StepState::undone:
            if (said.failed) return "a failure";
            return took_back ? "an undo without a success" : nullptr;
    }
    return "anything at all: there is no such state";
}

void check_row(const Service& service, const Known& known, const StepRow& row, Report& report) {
    const Step* step = service.contract.step(row.step);
    if (step == nullptr) return;  // of another build
    const bool own_run = step->once_per_event ? row.run == row.event : !row.run;
    if (!own_run)
        report.add(service.name, known.row.id,
                   "the step {} has a run {} for the event {}, and runs once for each {}", row.step,
                   row.run ? row.run.text() : "of the whole saga", row.event.text(),
                   step->once_per_event ? "event" : "saga");
    if (const char* what = contradiction(row.state, *step, said_of(*step, row)))
        report.add(service.name, known.row.id, "the step {} is {}, and published {}", row.step,
                   name_of(row.state), what);
}

}  // namespace

void check_effects(const Facts& facts, const Options&, Report& report) {
    for (const Service& service : facts.services)
        for (const auto& [key, known] : service.sagas) {
            if (!service.shard.takes(known.row.id))
                report.add(service.name, known.row.id, "shard {} has the saga, which is another's",
                           text_of(service.shard));
            for (const StepRow& row : known.steps) check_row(service, known, row, report);
            for (const Published& each : published(service, known))
                if (each.journalled > 0 && each.sent - each.excused > each.journalled)
                    report.add(service.name, known.row.id,
                               "the step {} ran for {} of {}, and {} stand in the outbox",
                               each.step, each.journalled, each.name, each.sent);
        }
}

}  // namespace saga::verify
