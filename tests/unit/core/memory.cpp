#include "tests/unit/core/memory.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "saga/core/subject.hpp"

namespace saga::test {
namespace {

using core::Attempt;
using core::Parking;
using core::Part;

/// What a unique index or a foreign key would say.
void constraint(bool holds, std::string_view what) {
    if (!holds) throw std::logic_error(fmt::format("the database refuses: {}", what));
}

std::string words_of(const core::ParkedRow& row) {
    constexpr std::array kWaits{"", "event", "step", "reaction", "undo", "timer", "call"};
    constexpr std::array kStates{"",       "retry",  "later", "locked",
                                 "unlike", "behind", "dead",  "dropped"};
    std::string words = kWaits.at(static_cast<std::size_t>(row.what));
    if (!row.step.empty()) words += " " + row.step;
    return words + " " + kStates.at(static_cast<std::size_t>(row.state));
}

std::string call_name(const core::StepRow& row, Part part) {
    return part == Part::step ? row.step : "undo " + row.step;
}

}  // namespace

// ---- what is stored -----------------------------------------------------------------------------

core::SagaState Stored::load() const {
    core::SagaState state{.row = saga, .steps = steps, .arrived = arrived, .parked = {}};
    for (const StoredParked& each : parked) state.parked.push_back(each.row);
    return state;
}

const core::StepRow* Stored::step(std::string_view name, const EventId& run) const {
    for (const core::StepRow& row : steps)
        if (row.step == name && row.run == run) return &row;
    return nullptr;
}

std::string text_of(core::SagaState state) {
    std::vector<std::string> lines;
    for (const core::StepRow& row : state.steps)
        lines.push_back(fmt::format("step {} {} {} {} {} {}", row.step, row.run.text(),
                                    row.event.text(), static_cast<int>(row.state), row.nth,
                                    row.forward));
    for (const core::Arrived& half : state.arrived)
        lines.push_back(fmt::format("half {} {} {} {} {}", half.step, half.run.text(), half.slot,
                                    half.event.text(), half.forward));
    for (const core::ParkedRow& row : state.parked)
        lines.push_back(fmt::format("parked {} {} {} {} {} {} {} {} {}", row.position, row.place,
                                    static_cast<int>(row.what), row.step, row.nth, row.run.text(),
                                    row.event.text(), row.forward, static_cast<int>(row.state)) +
                        fmt::format(" {}", row.attempts));
    std::sort(lines.begin(), lines.end());
    std::string text = fmt::format("saga {} {} ended by {}, failed by", state.row.key, state.row.id,
                                   state.row.ended_by);
    for (const std::string& failure : state.row.failures) text += " " + failure;
    for (const std::string& line : lines) text += "\n" + line;
    return text;
}

std::string text_of(const Stored& stored) {
    std::vector<std::string> lines;
    for (const StoredParked& each : stored.parked)
        lines.push_back(fmt::format("due {} {} {}", each.row.position, each.message,
                                    static_cast<int>(each.due)));
    for (const StoredTimer& timer : stored.timers)
        lines.push_back(fmt::format("timer {} {} {}", timer.step, timer.run.text(), timer.nth));
    for (const StoredCall& call : stored.calls)
        lines.push_back(fmt::format("call {} {} {} {} {}", call.step, call.run.text(),
                                    static_cast<int>(call.part), call.attempts, call.given_up));
    for (const StoredRead& read : stored.reads)
        lines.push_back(fmt::format("read {} {}", read.reaction, read.event.text()));
    std::sort(lines.begin(), lines.end());
    std::string text = text_of(stored.load()) + (stored.locks ? "\nlocks" : "");
    for (const std::string& line : lines) text += "\n" + line;
    return text;
}

// ---- handlers -----------------------------------------------------------------------------------

Attempt MemoryHost::handle(Handling handling) {
    log.push_back(handling.name);
    return handler_(handling);
}

Attempt MemoryHost::run(const detail::StepCode& step, const core::Message& trigger) {
    return handle({"run " + step.name, &step, trigger.envelope().forward()});
}
Attempt MemoryHost::react(const detail::ReactionCode& reaction, const core::Message&) {
    return handle({"react " + std::string(reaction.on->name), nullptr});
}
Attempt MemoryHost::settle(const detail::StepCode& step, const core::StepRow& row, Part part,
                           Bytes) {
    constraint(call_of(row, part) != stored_.calls.end(), "no such call is open");
    return handle({"settle " + call_name(row, part), &step});
}
Attempt MemoryHost::undo(const detail::StepCode& step, const core::StepRow&) {
    return handle({"undo " + step.name, &step});
}
Attempt MemoryHost::fire(const detail::StepCode& step, const core::StepRow&, std::uint32_t) {
    return handle({"fire " + step.name, &step});
}

// ---- what they lead to --------------------------------------------------------------------------

void MemoryHost::know(core::SagaRow& row) {
    constraint(stored_.saga.key == 0, "the saga is known already");
    row.key = 1;
    stored_.saga = row;
}

void MemoryHost::mark(const core::SagaRow& row) {
    constraint(row.key != 0, "no such saga");
    stored_.saga.failures = row.failures;
    stored_.saga.ended_by = row.ended_by;
}

void MemoryHost::put(const core::StepRow& row) {
    for (core::StepRow& stands : stored_.steps) {
        if (stands.step != row.step || stands.run != row.run) continue;
        stands.state = row.state;
        stands.nth = row.nth;
        return;
    }
    stored_.steps.push_back(row);
}

void MemoryHost::put_ran(const detail::StepCode&, const core::StepRow& row, const Attempt&) {
    put(row);
}

void MemoryHost::publish(const core::Publication& publication) {
    for (std::uint32_t i = 0; i < publication.events.size(); ++i) {
        const Kind kind = i == 0 ? publication.kind : publication.rest;
        Published event{.type = publication.events[i].type,
                        .kind = kind,
                        .because = std::string(publication.because),
                        .step = std::string(publication.step),
                        .role = publication.role,
                        .slot = publication.first_slot + i,
                        .run = publication.run};
        std::string line = fmt::format("{} {}", core::name_of(kind), event.type->name);
        if (!event.because.empty() && event.because != event.type->name)
            line += " because " + event.because;
        log.push_back(line);
        published.push_back(std::move(event));
    }
}

void MemoryHost::keep(const core::Arrived& half, const core::Message&) {
    for (const core::Arrived& stands : stored_.arrived)
        constraint(stands.step != half.step || stands.run != half.run || stands.slot != half.slot,
                   "this half has arrived");
    stored_.arrived.push_back(half);
}

void MemoryHost::drop(const core::Arrived& half) {
    std::erase_if(stored_.arrived, [&](const core::Arrived& stands) {
        return stands.step == half.step && stands.run == half.run && stands.slot == half.slot;
    });
}

void MemoryHost::used(const core::StepRow&) {}

bool MemoryHost::reacted(std::string_view reaction, const EventId& event) {
    return std::any_of(stored_.reads.begin(), stored_.reads.end(), [&](const StoredRead& read) {
        return read.reaction == reaction && read.event == event;
    });
}

void MemoryHost::remember(std::string_view reaction, const core::Message& event) {
    const core::Envelope& envelope = event.envelope();
    if (reacted(reaction, envelope.id)) return;
    stored_.reads.push_back(
        {std::string(reaction), envelope.id, std::string(detail::split_type(envelope.type).name)});
}

bool MemoryHost::read_any(std::span<const detail::Type> events) {
    return std::any_of(stored_.reads.begin(), stored_.reads.end(), [&](const StoredRead& read) {
        return std::any_of(events.begin(), events.end(),
                           [&](detail::Type type) { return type->name == read.name; });
    });
}

// ---- what waits ---------------------------------------------------------------------------------

void MemoryHost::park(core::ParkedRow& row, const core::Message* event, std::string_view why,
                      bool at_once) {
    const bool by_itself =
        row.state != Parking::behind && row.state != Parking::dropped && row.state != Parking::dead;
    const Due due = at_once ? Due::now : by_itself ? Due::after_backoff : Due::never;
    if (row.position == 0) {
        for (const StoredParked& each : stored_.parked)
            row.position = std::max(row.position, each.row.position);
        ++row.position;
        log.push_back("parks " + words_of(row));
        stored_.parked.push_back({row, event == nullptr ? 0 : event->seq(), due});
        return;
    }
    for (StoredParked& each : stored_.parked) {
        if (each.row.position != row.position) continue;
        if (!why.empty()) log.push_back("parks " + words_of(row));
        if (why.empty() && each.due != Due::now) log.push_back("wakes " + words_of(row));
        each.row.what = row.what;
        each.row.step = row.step;
        each.row.state = row.state;
        each.row.attempts = row.attempts;
        each.due = due;
        return;
    }
    constraint(false, "no such row is parked");
}

void MemoryHost::unpark(const core::ParkedRow& row) {
    const auto erased = std::erase_if(stored_.parked, [&](const StoredParked& each) {
        return each.row.position == row.position;
    });
    constraint(erased == 1, "no such row is parked");
    log.push_back("unparks " + words_of(row));
}

void MemoryHost::set_timer(const core::StepRow& row, std::uint32_t nth, std::chrono::milliseconds) {
    stored_.timers.push_back({row.step, row.run, nth});
    log.push_back("sets timer of " + row.step);
}

void MemoryHost::drop_timer(const core::StepRow& row, std::uint32_t nth) {
    const StoredTimer timer{row.step, row.run, nth};
    if (std::erase(stored_.timers, timer) > 0) log.push_back("drops timer of " + row.step);
}

void MemoryHost::drop_timers() {
    if (!stored_.timers.empty()) log.push_back("drops timers");
    stored_.timers.clear();
}

// ---- calls, locks, dead letters -----------------------------------------------------------------

std::vector<StoredCall>::iterator MemoryHost::call_of(const core::StepRow& row, Part part) {
    return std::find_if(stored_.calls.begin(), stored_.calls.end(), [&](const StoredCall& call) {
        return call.step == row.step && call.run == row.run && call.part == part;
    });
}

void MemoryHost::open_call(const core::StepRow& row, Part part, const detail::Emitted&) {
    constraint(call_of(row, part) == stored_.calls.end(), "the call is open already");
    stored_.calls.push_back({row.step, row.run, part});
    log.push_back("asks for " + call_name(row, part));
}

bool MemoryHost::retry_call(const core::StepRow& row, Part part, std::string_view, bool anew) {
    const auto call = call_of(row, part);
    if (call == stored_.calls.end()) return true;
    int most = 0;
    for (const detail::StepCode& step : contract_.steps)
        if (step.name == row.step)
            most = (part == Part::step ? step.code : step.undo).options.attempts;
    call->attempts = anew ? 0 : call->attempts + 1;
    call->given_up = !anew && call->attempts >= most;
    log.push_back((call->given_up ? "gives up asking for " : "asks again for ") +
                  call_name(row, part));
    return !call->given_up;
}

void MemoryHost::close_call(const core::StepRow& row, Part part) {
    if (const auto call = call_of(row, part); call != stored_.calls.end())
        stored_.calls.erase(call);
}

void MemoryHost::release_locks() {
    if (stored_.locks) log.push_back("releases locks");
    stored_.locks = false;
}

void MemoryHost::dead_letter(const core::Message& event, std::string_view step,
                             std::string_view why) {
    const auto name = detail::split_type(event.envelope().type).name;
    log.push_back(step.empty() ? fmt::format("dead letter {}: {}", name, why)
                               : fmt::format("dead letter {} for {}: {}", name, step, why));
}

}  // namespace saga::test
