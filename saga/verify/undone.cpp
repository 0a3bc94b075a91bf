// I5: an undone saga leaves no step that should have been undone; a completed one undoes none.
#include <algorithm>

#include "saga/verify/checks.hpp"

namespace saga::verify {
namespace {

using core::StepState;
using Failures = std::unordered_map<std::string, std::vector<std::string>>;

/// Failures in the stream, by saga; not those of sagas that have ended well, which undo nothing.
Failures failures_of(const Facts& facts) {
    Failures failures;
    for (const Message& message : facts.stream)
        if (message.event.kind == Kind::failed)
            failures[message.event.saga].emplace_back(message.event.name());
    for (const auto& [saga, words] : ends_of(facts))
        if (std::any_of(words.begin(), words.end(),
                        [](const Event* word) { return word->because.empty(); }))
            failures.erase(saga);
    return failures;
}

void check_failed(const Service& service, const Known& known,
                  const std::vector<std::string>& failures, Report& report) {
    for (const StepRow& row : known.steps) {
        const Step* step = service.contract.step(row.step);
        if (step == nullptr || row.state != StepState::done || !row.forward) continue;
        if (undoable(*step, failures))
            report.add(service.name, known.row.id,
                       "the saga has failed with {}, and the step {} still stands",
                       failures.front(), row.step);
    }
}

void check_sound(const Service& service, const Known& known, Report& report) {
    for (const StepRow& row : known.steps)
        if (row.state == StepState::undone || row.state == StepState::undoing ||
            row.state == StepState::undo_failed)
            report.add(service.name, known.row.id,
                       "the step {} is {}, and the saga has not failed here", row.step,
                       name_of(row.state));
}

}  // namespace

void check_undone(const Facts& facts, const Options& options, Report& report) {
    const Failures elsewhere = options.at_rest ? failures_of(facts) : Failures{};
    for (const Service& service : facts.services)
        for (const auto& [key, known] : service.sagas) {
            std::vector<std::string> failures = known.row.failures;
            if (const auto more = elsewhere.find(known.row.id); more != elsewhere.end())
                failures.insert(failures.end(), more->second.begin(), more->second.end());
            if (!failures.empty()) check_failed(service, known, failures, report);
            if (!known.failed()) check_sound(service, known, report);
        }
}

}  // namespace saga::verify
