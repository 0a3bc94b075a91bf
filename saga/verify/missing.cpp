// What an event leaves in a service that has read it.
#include <fmt/format.h>

#include <algorithm>

#include "saga/verify/checks.hpp"

namespace saga::verify {
namespace {

using In = Trace::In;

bool parked(const Service& reader, const EventId& event, std::string_view name) {
    return reader.has(event, In::parked, name) || reader.has(event, In::parked, "");
}

/// A row of the step, whichever event it belongs to: what came second stands aside, unless it came
/// too late or is one failure of several.
bool step_stands(const Service& reader, const Known& known, const Step& step, const Event& event) {
    if (reader.has(event.id, In::journal, step.name) ||
        reader.has(event.id, In::arrived, step.name) || parked(reader, event.id, step.name))
        return true;
    const StepRow* row = known.step(step.name, step.once_per_event ? event.id : EventId{});
    if (row == nullptr) return false;
    const bool any_failure = event.kind == Kind::failed && !step.on.empty() &&
                             step.on.front() == detail::kAnyFailure.full;
    return any_failure || (row->state == core::StepState::tombstone && known.failed());
}

std::optional<std::string> missing_here(const Service& reader, const Known& known,
                                        const Event& event) {
    if (const auto failure = event.failure(); failure && !known.failed_by(*failure))
        return fmt::format("the saga is not marked as failed by {}", *failure);
    if (reader.contract.awaits(event.type) && !reader.has(event.id, In::inbox, "expect"))
        return "a timer waits for it";
    if (event.hops > core::kMaxHops) return std::nullopt;  // no handler sees it
    for (const std::string& reaction : reader.contract.reactions) {
        const bool any = reaction == detail::kAnyEvent.full;
        const std::string_view name = detail::split_type(reaction).name;
        if ((any || reaction == event.type) && !reader.has(event.id, In::inbox, name) &&
            !parked(reader, event.id, name))
            return fmt::format("the reaction to {} has not seen it", any ? "any event" : reaction);
    }
    for (const Step& step : reader.contract.steps)
        if (step.takes(event.type, event.kind) && !step_stands(reader, known, step, event) &&
            !reader.has(event.id, In::aside, step.name))
            return fmt::format("the step {} has not seen it", step.name);
    return std::nullopt;
}

}  // namespace

std::optional<std::string> missing(const Service& reader, const Event& event) {
    const Contract& contract = reader.contract;
    if (!reader.shard.takes(event.saga)) return std::nullopt;
    if (!contract.reads(reader.name, event.source, event.name(), event.kind)) return std::nullopt;
    if (!event.failure() && !contract.awaits(event.type) && !contract.takes(event.type, event.kind))
        return std::nullopt;
    if (reader.has(event.id, In::aside, "") || reader.passed_over.contains(event.id))
        return std::nullopt;
    if (reader.aside.size() >= core::kMaxAside) return std::nullopt;  // the oldest are gone
    const Known* known = reader.find(event.saga);
    if (known != nullptr) return missing_here(reader, *known, event);
    if (event.started < reader.journal_from) return std::nullopt;  // finished, and forgotten
    return "the saga is unknown here";
}

}  // namespace saga::verify
