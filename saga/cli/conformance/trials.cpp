#include "saga/cli/conformance/trials.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <saga/detail/event_type.hpp>

#include "saga/cli/words.hpp"

namespace saga::cli {
namespace {

using flow::Emits;

constexpr std::size_t kOrderSagas = 10;

std::string_view owner_of(std::string_view type) {
    return detail::split_type(type).owner;
}

bool says(const std::vector<Emits>& emits, const Said& said) {
    return std::any_of(emits.begin(), emits.end(),
                       [&](const Emits& each) { return each.event == said.type; });
}

/// Why a step cannot be tried from outside; empty when it can.
std::string untriable(const flow::Step& step, std::string_view service) {
    if (step.emits.empty()) return "it says nothing that could be seen";
    for (const std::string& on : step.on)
        if (owner_of(on) == service) return "its trigger is the service's own event";
    return {};
}

}  // namespace

std::vector<Row> Trials::run() {
    for (const Step& step : stand_.contract().steps) {
        if (const std::string why = untriable(step, stand_.contract().service); !why.empty())
            try_out("step", &step, [&] { return Outcome{Verdict::skip, why}; });
        else
            try_step(step);
    }
    try_whole();
    return rows_;
}

void Trials::try_out(std::string_view trial, const Step* step,
                     const std::function<Outcome()>& what) {
    const auto began = std::chrono::steady_clock::now();
    const Outcome outcome = what();
    rows_.push_back({.trial = std::string(trial),
                     .step = step == nullptr ? "" : step->name,
                     .verdict = outcome.verdict,
                     .says = outcome.says,
                     .took = std::chrono::duration_cast<std::chrono::milliseconds>(
                         std::chrono::steady_clock::now() - began)});
    on_row_(rows_.back());
}

void Trials::try_step(const Step& step) {
    try_out("runs", &step, [&] { return runs(step, false); });
    if (rows_.back().verdict != Verdict::pass) return;
    if (canary_ == nullptr || (step.undoes() && !canary_->undoes())) canary_ = &step;
    try_out("newer", &step, [&] { return runs(step, true); });
    try_out("duplicate", &step, [&] { return duplicate(step); });
    try_out("second", &step, [&] { return second(step); });
    if (step.on_any_failure()) return;
    try_out("undo first", &step, [&] { return undo_first(step); });
    if (!step.undoes()) return;
    try_out("undo", &step, [&] { return undone(step); });
    try_out("after end", &step, [&] { return after_end(step); });
    try_out("order", &step, [&] { return order(step); });
}

void Trials::try_whole() {
    const auto none = [&] {
        return Outcome{Verdict::skip, "no step has answered by which this could be seen"};
    };
    const auto with_canary = [&](std::string_view trial, Outcome (Trials::*what)(const Step&)) {
        try_out(trial, nullptr, [&] { return canary_ ? (this->*what)(*canary_) : none(); });
    };
    with_canary("unknown", &Trials::unknown);
    with_canary("junk", &Trials::junk);
    with_canary("restart", &Trials::restarted);
}

// ---- what a saga is given -----------------------------------------------------------------------

Trials::Given Trials::give(const Step& step, bool newer) {
    Given given{.saga = stand_.new_saga(), .triggers = {}};
    for (const flow::Command& command : stand_.contract().commands) {
        // What begins a saga here: its steps may need what it leaves behind.
        if (command.ends_saga || command.request.empty()) continue;
        const std::string answer = stand_.command(command, given.saga);
        if (!answer.starts_with("{\"accepted\""))
            throw Stop(kError, fmt::format("the service refuses the command {} with {}: give its "
                                           "fields values that it takes, as --set FIELD=VALUE",
                                           command.verb, harmless(answer)));
        stand_.wait([&] { return !stand_.said(given.saga).empty(); });
        break;
    }
    for (const std::string& on : step.on) {
        given.triggers.push_back(on == flow::kAnyFailure
                                     ? stand_.failure(given.saga)
                                     : stand_.forge(on, Kind::done, given.saga, newer));
        stand_.send(given.triggers.back());
    }
    return given;
}

/// One that the step's undo is for. `another`: of another name, where it is for any.
Forged Trials::failure_for(const Step& step, const std::string& saga, bool another) {
    for (const std::string& failure : step.undo_on)
        if (owner_of(failure) != stand_.contract().service)
            return stand_.forge(failure, Kind::failed, saga, std::vector<std::byte>(8));
    return stand_.failure(saga, another ? "ConformanceFailedToo" : "ConformanceFailed");
}

// ---- what it says -------------------------------------------------------------------------------

std::vector<Said> Trials::outcomes(const Step& step, const std::string& saga) {
    std::vector<Said> found = stand_.said(saga);
    std::erase_if(found, [&](const Said& each) { return !says(step.emits, each); });
    return found;
}

std::vector<Said> Trials::undos(const Step& step, const std::string& saga) {
    std::vector<Said> found = stand_.said(saga);
    std::erase_if(found, [&](const Said& each) { return !says(step.undone, each); });
    return found;
}

bool Trials::speaks(const Step& step, const std::string& saga, std::size_t times) {
    return stand_.wait([&] { return outcomes(step, saga).size() >= times; });
}

Trials::Outcome Trials::catch_up(const std::string& after) {
    // Events are read in order: who answers a later one has read those before it. A step that
    // calls answers later than it reads, so it is asked twice.
    for (int i = 0; i < (canary_->calls ? 2 : 1); ++i)
        if (!speaks(*canary_, give(*canary_).saga))
            return {Verdict::fail, fmt::format("it answers no more after {}", after)};
    return {};
}

std::string Trials::fault_of(const Step& step, const Said& said, const Given& given) {
    const auto caused = [&](const Forged& each) { return each.id == said.cause; };
    const auto as = std::find_if(step.emits.begin(), step.emits.end(),
                                 [&](const Emits& each) { return each.event == said.type; });
    const auto cause = std::find_if(given.triggers.begin(), given.triggers.end(), caused);
    const bool forward = said.kind == Kind::done;
    if (!said.wrong.empty()) return said.wrong;
    const Kind kind = step.ends_saga && as->kind != Kind::failed ? Kind::ended : as->kind;
    if (said.kind != kind) return "its kind is not the contract's";
    if (cause == given.triggers.end()) return "its cause is none of the step's triggers";
    if (said.started != cause->started) return "its started is not its cause's";
    if (said.hops != 1) return fmt::format("it has {} hops, where its cause has 0", said.hops);
    if (forward && !said.because.empty()) return "it is done, and names a failure in because";
    if (said.kind == Kind::failed && said.because != said.event)
        return "it is a failure, and because is not its name";
    return {};
}

// ---- of a step ----------------------------------------------------------------------------------

Trials::Outcome Trials::runs(const Step& step, bool newer) {
    const Given given = give(step, newer);
    if (!speaks(step, given.saga))
        return {Verdict::fail,
                fmt::format("it says nothing within {} of {}", brief(stand_.limits().within),
                            given.triggers.back().subject)};
    const Said said = outcomes(step, given.saga).front();
    if (const std::string fault = fault_of(step, said, given); !fault.empty())
        return {Verdict::fail, fmt::format("{}: {}", said.event, fault)};
    succeeds_[step.name] = said.kind != Kind::failed;
    return {Verdict::pass, said.event};
}

Trials::Outcome Trials::duplicate(const Step& step) {
    const Given given = give(step);
    if (!speaks(step, given.saga)) return {Verdict::fail, "it answers no more"};
    for (int i = 0; i < 3; ++i)
        for (const Forged& each : given.triggers) stand_.send(each);
    if (Outcome late = catch_up("duplicates"); late.verdict != Verdict::pass) return late;
    const std::size_t times = outcomes(step, given.saga).size();
    if (times != 1)
        return {Verdict::fail, fmt::format("the same event four times had {} outcomes", times)};
    return {Verdict::pass, "four times the same: one outcome"};
}

Trials::Outcome Trials::second(const Step& step) {
    if (step.once_per_event || step.on.size() != 1 || step.on_any_failure())
        return {Verdict::skip, "the step runs once for each event, or waits for several"};
    const Given given = give(step);
    if (!speaks(step, given.saga)) return {Verdict::fail, "it answers no more"};
    stand_.send(stand_.forge(step.on.front(), Kind::done, given.saga));
    if (Outcome late = catch_up("a second trigger"); late.verdict != Verdict::pass) return late;
    const std::size_t times = outcomes(step, given.saga).size();
    if (times != 1)
        return {Verdict::fail, fmt::format("two events of one saga had {} outcomes", times)};
    return {Verdict::pass, "another event of the saga: still one outcome"};
}

Trials::Outcome Trials::undone(const Step& step) {
    if (!succeeds_[step.name])
        return {Verdict::skip,
                "the step answers with a failure, so there is nothing to undo: give "
                "fields other values with --set, or the service what it needs"};
    const Given given = give(step);
    if (!speaks(step, given.saga)) return {Verdict::fail, "it answers no more"};
    const Forged failure = failure_for(step, given.saga);
    for (int i = 0; i < 2; ++i) stand_.send(failure);
    if (!step.undone.empty() && !stand_.wait([&] { return !undos(step, given.saga).empty(); }))
        return {Verdict::fail, "a failure after the step takes nothing back"};
    stand_.send(failure_for(step, given.saga, true));
    if (Outcome late = catch_up("a failure"); late.verdict != Verdict::pass) return late;
    const std::vector<Said> all = undos(step, given.saga);
    if (step.undone.empty()) return {Verdict::skip, "its undo says nothing that could be seen"};
    if (all.size() != 1)
        return {Verdict::fail,
                fmt::format("it was undone {} times, by three failures", all.size())};
    if (!all.front().wrong.empty()) return {Verdict::fail, all.front().wrong};
    if (all.front().kind != Kind::undone || all.front().because.empty())
        return {Verdict::fail, "the undo's event is not undone, or does not say because of what"};
    // What a call led to may name the event that its step began with.
    if (all.front().cause != failure.id && !step.undo_calls)
        return {Verdict::fail, "the undo's cause is not the failure"};
    return {Verdict::pass, fmt::format("{}, once", all.front().event)};
}

Trials::Outcome Trials::undo_first(const Step& step) {
    Given given{.saga = stand_.new_saga(), .triggers = {}};
    stand_.send(failure_for(step, given.saga));
    for (int i = 0; i < 2; ++i)
        for (const std::string& on : step.on) stand_.send(stand_.forge(on, Kind::done, given.saga));
    if (Outcome late = catch_up("a failure before its step"); late.verdict != Verdict::pass)
        return late;
    const std::vector<Said> ran = outcomes(step, given.saga);
    if (!ran.empty())
        return {Verdict::fail,
                fmt::format("the step ran after its saga had failed: {}", ran.front().event)};
    if (!undos(step, given.saga).empty()) return {Verdict::fail, "what never ran was undone"};
    return {Verdict::pass, "the step never ran"};
}

Trials::Outcome Trials::after_end(const Step& step) {
    if (!succeeds_[step.name]) return {Verdict::skip, "the step answers with a failure"};
    const Given given = give(step);
    if (!speaks(step, given.saga)) return {Verdict::fail, "it answers no more"};
    stand_.send(stand_.forge("test.conformance.ConformanceEnded", Kind::ended, given.saga,
                             std::vector<std::byte>(8)));
    stand_.send(failure_for(step, given.saga));
    if (Outcome late = catch_up("a failure after the end"); late.verdict != Verdict::pass)
        return late;
    if (!undos(step, given.saga).empty())
        return {Verdict::fail, "a failure after the saga's good end has taken the step back"};
    return {Verdict::pass, "nothing was taken back"};
}

Trials::Outcome Trials::order(const Step& step) {
    if (!succeeds_[step.name]) return {Verdict::skip, "the step answers with a failure"};
    if (step.undone.empty()) return {Verdict::skip, "its undo says nothing that could be seen"};
    std::vector<Given> all;
    for (std::size_t i = 0; i < kOrderSagas; ++i) {
        all.push_back(give(step));
        stand_.send(failure_for(step, all.back().saga));
    }
    if (Outcome late = catch_up("failures close behind"); late.verdict != Verdict::pass)
        return late;
    for (const Given& given : all) {
        const auto both = [&] {
            return outcomes(step, given.saga).size() == undos(step, given.saga).size();
        };
        if (!stand_.wait(both) || outcomes(step, given.saga).size() > 1)
            return {Verdict::fail,
                    fmt::format("of saga {} not each outcome was taken back once", given.saga)};
        const std::vector<Said>& said = stand_.said(given.saga);
        if (!said.empty() && says(step.undone, said.front()))
            return {Verdict::fail, "an undo stands before its step in the stream"};
    }
    return {Verdict::pass,
            fmt::format("{}: each step, then its undo", count_text(all.size(), "saga"))};
}

}  // namespace saga::cli
