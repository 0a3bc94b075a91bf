// What several checkers ask.
#include <algorithm>
#include <array>

#include "saga/verify/checks.hpp"

namespace saga::verify {

using core::StepState;

namespace {

/// An event of the saga that no journal row needs to explain: an operator, or a record of the past
/// that nothing leads to any more, stands behind it.
bool explained(const Service& service, const Known& known, const Event& event) {
    const auto unlike = [](const ParkedRow& row) {
        return row.state == core::Parking::unlike || row.state == core::Parking::dead;
    };
    return known.operated || service.stands_aside(event.id) ||
           service.passed_over.contains(event.id) ||
           std::any_of(known.parked.begin(), known.parked.end(), unlike);
}

}  // namespace

Origin origin_of(const Service& service, const Event& event) {
    if (event.operation()) return Origin::operation;
    const Contract::Command* command = service.contract.command(event.step);
    if (command != nullptr && command->accepts == event.name()) return Origin::command;
    const Step* step = service.contract.step(event.step);
    const bool asked = step != nullptr && step->asks.contains(event.name()) &&
                       !step->done.contains(event.name()) && event.kind == Kind::done;
    return asked ? Origin::timer : Origin::outcome;
}

std::vector<Published> published(const Service& service, const Known& known) {
    std::vector<Published> all;
    const auto of = [&](std::string_view step, std::string_view name) -> Published& {
        const auto found = std::find_if(all.begin(), all.end(), [&](const Published& each) {
            return each.step == step && each.name == name;
        });
        return found != all.end() ? *found : all.emplace_back(Published{step, name});
    };
    for (const StepRow& row : known.steps)
        for (const std::string& name : row.outcome) ++of(row.step, name).journalled;
    for (const std::size_t at : known.outbox) {
        const OutRow& row = service.outbox[at];
        const Event& event = row.event;
        if (row.notice() || origin_of(service, event) != Origin::outcome) continue;
        Published& its = of(event.step, event.name());
        ++its.sent;
        its.excused += explained(service, known, event);
    }
    return all;
}

Ends ends_of(const Facts& facts) {
    Ends ends;
    const auto add = [&](const Event& event) {
        if (event.kind != Kind::ended) return;
        std::vector<const Event*>& words = ends[event.saga];
        if (std::none_of(words.begin(), words.end(),
                         [&](const Event* each) { return each->id == event.id; }))
            words.push_back(&event);
    };
    for (const Message& message : facts.stream) add(message.event);
    for (const Service& service : facts.services)
        for (const OutRow& row : service.outbox)
            if (!row.notice()) add(row.event);
    return ends;
}

bool undoable(const Step& step, const std::vector<std::string>& failures) {
    const auto fits = [&](const std::string& failure) {
        return step.undone_on.empty() || std::find(step.undone_on.begin(), step.undone_on.end(),
                                                   failure) != step.undone_on.end();
    };
    return step.undoes && std::any_of(failures.begin(), failures.end(), fits);
}

bool finished(const Service& service, const Known& known) {
    if (!known.parked.empty()) return false;
    if (!known.failed()) return known.ended();
    return std::none_of(known.steps.begin(), known.steps.end(), [&](const StepRow& row) {
        const Step* step = service.contract.step(row.step);
        const bool open = row.state == StepState::calling || row.state == StepState::undoing ||
                          row.state == StepState::undo_failed;
        const bool standing = row.state == StepState::done && row.forward &&
                              (step == nullptr ? row.kept : undoable(*step, known.row.failures));
        return open || standing;
    });
}

std::string_view name_of(core::StepState state) {
    constexpr std::array<std::string_view, 8> kNames{
        "unknown", "calling", "done", "failed", "undoing", "undone", "undo failed", "tombstone"};
    return kNames.at(static_cast<std::size_t>(state) % kNames.size());
}

std::string_view name_of(core::Parking state) {
    constexpr std::array<std::string_view, 8> kNames{"unknown", "retry",  "later", "locked",
                                                     "unlike",  "behind", "dead",  "dropped"};
    return kNames.at(static_cast<std::size_t>(state) % kNames.size());
}

std::string_view name_of(core::Waits what) {
    constexpr std::array<std::string_view, 8> kNames{"unknown", "event", "step", "reaction",
                                                     "undo",    "timer", "call", "unknown"};
    return kNames.at(static_cast<std::size_t>(what) % kNames.size());
}

}  // namespace saga::verify
