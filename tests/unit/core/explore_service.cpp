#include "tests/unit/core/explore_service.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <stdexcept>

#include "saga/core/backoff.hpp"

namespace saga::test {
namespace {

using core::Attempt;
using core::Parking;
using core::StepState;

/// The alternatives of one item, one after the other: each run takes those that pick() names, and
/// the next run differs from it at the last place where there is another one left.
class Choices {
  public:
    std::size_t pick(std::size_t of) {
        if (at_ == taken_.size()) taken_.push_back({0, of});
        return taken_[at_++].taken;
    }
    bool next() {
        at_ = 0;
        while (!taken_.empty() && taken_.back().taken + 1 == taken_.back().of) taken_.pop_back();
        if (taken_.empty()) return false;
        ++taken_.back().taken;
        return true;
    }

  private:
    struct Choice {
        std::size_t taken, of;
    };
    std::vector<Choice> taken_;
    std::size_t at_ = 0;
};

template <class Rows, class Get>
void rank(Rows& rows, Get get) {
    std::vector<std::uint32_t> values;
    for (auto& row : rows) values.push_back(get(row));
    std::sort(values.begin(), values.end());
    values.erase(std::unique(values.begin(), values.end()), values.end());
    for (auto& row : rows)
        get(row) =
            1 + static_cast<std::uint32_t>(
                    std::lower_bound(values.begin(), values.end(), get(row)) - values.begin());
}

/// What the rules cannot tell apart becomes the same: numbers that only order, how long something
/// waits, attempts between the first and the last.
void make_canonical(Stored& stored) {
    rank(stored.steps, [](core::StepRow& row) -> std::uint32_t& { return row.nth; });
    rank(stored.parked, [](StoredParked& each) -> std::uint32_t& { return each.row.place; });
    std::sort(stored.steps.begin(), stored.steps.end(), [](const auto& a, const auto& b) {
        return std::tie(a.step, a.run) < std::tie(b.step, b.run);
    });
    std::int64_t position = 0;
    for (StoredParked& each : stored.parked) {
        each.row.position = ++position;
        if (each.due == Due::after_backoff) each.due = Due::now;
        const auto ladder = each.row.what == core::Waits::undo ? core::Ladder::undo
                            : each.row.state == Parking::retry ? core::Ladder::event
                                                               : core::Ladder::later;
        if (each.row.attempts == 1 && each.row.state != Parking::dead)
            each.row.attempts = core::most_attempts(ladder) - 1;
    }
    for (StoredCall& call : stored.calls)
        if (call.given_up) call.attempts = 0;
    auto& failures = stored.saga.failures;
    if (failures.size() > 2) std::sort(failures.begin() + 1, failures.end());
}

Attempt succeeds(std::span<const detail::Emits> emits) {
    Attempt attempt;
    for (const detail::Emits& each : emits)
        if (each.kind != Kind::failed) attempt.events.push_back({each.type, {}});
    return attempt;
}

}  // namespace

// ---- a service ----------------------------------------------------------------------------------

ExploredService::ExploredService(const Landscape& landscape, std::size_t nth, Messages& messages)
    : landscape_(landscape), nth_(nth), messages_(messages) {
    intern({});
}

std::uint32_t ExploredService::intern(ServiceState state) {
    make_canonical(state.stored);
    const std::string key =
        text_of(state.stored) + state.published.to_string() + state.seen.to_string();
    const auto [known, fresh] = index_.try_emplace(key, static_cast<std::uint32_t>(states_.size()));
    if (!fresh) return known->second;
    state.dead = state.blocked = false;
    for (const StoredParked& each : state.stored.parked) {
        state.dead = state.dead || each.row.state == Parking::dead;
        state.blocked = state.blocked || each.row.blocks();
    }
    states_.push_back(std::move(state));
    return known->second;
}

std::vector<Attempt> ExploredService::outcomes(const Handling& handling,
                                               const Stored& stored) const {
    const std::string& name = handling.name;
    std::vector<Attempt> all;
    if (landscape_.throws.contains(name)) all.push_back({Attempt::Result::threw, {}, "throws"});
    if (landscape_.says_later.contains(name)) all.push_back({Attempt::Result::later, {}, "later"});
    if (handling.step == nullptr) {
        all.emplace_back();
        return all;
    }
    const detail::StepCode& step = *handling.step;
    const bool runs = name.starts_with("run "), undoes = name.starts_with("undo ");
    if ((runs && step.code.calls()) || (undoes && step.undo.calls())) {
        all.push_back({Attempt::Result::asked, {{event_type("Question"), {}}}, {}});
    } else if (name.starts_with("fire ")) {
        all.push_back(succeeds(step.expects.front().asks));
    } else if (undoes || name.starts_with("settle undo ")) {
        all.push_back(succeeds(step.undone));
    } else {
        const auto decides = landscape_.decides.find(name);
        const bool decided = decides != landscape_.decides.end();
        const bool yes = decided && decides->second(stored);
        if (!decided || yes) all.push_back(succeeds(step.emits));
        for (const detail::Emits& each : step.emits)
            if (each.kind == Kind::failed && !yes)
                all.push_back({Attempt::Result::failure, {{each.type, {}}}, {}});
    }
    return all;
}

void ExploredService::publish(ServiceState& state, const std::vector<Published>& events,
                              Move& move) {
    for (const Published& event : events) {
        const std::size_t number = messages_.add(nth_, event);
        for (std::size_t m = 0; m < messages_.size(); ++m)
            if (state.published[m] && messages_.id(m) == messages_.id(number))
                move.violations.push_back("published twice: " + messages_.name(number));
        state.published.set(number);
    }
}

/// All that can come of an item.
void ExploredService::take(std::uint32_t at, const Item& item, Moves& moves) {
    Choices choices;
    do {
        ServiceState next = states_[at];
        if (item.message) next.seen.set(*item.message);
        const bool heard = ((next.seen | next.published) & messages_.failures()).any();
        Move move{.optional = item.optional};
        bool worked = false;
        MemoryHost host(contract(), next.stored, [&](const Handling& handling) {
            worked = true;
            if (handling.name.starts_with("run ") && handling.forward && heard)
                move.violations.push_back("forward work after a failure: " + handling.name);
            const std::vector<Attempt> all = outcomes(handling, next.stored);
            return all[choices.pick(all.size())];
        });
        core::SagaState state = next.stored.load();
        core::Saga saga(contract(), state, host, {.careful = landscape_.careful});
        try {
            item.work(saga);
        } catch (const std::logic_error& refused) {
            move.violations.emplace_back(refused.what());
        }
        if (text_of(next.stored.load()) != text_of(state))
            move.violations.push_back("what is stored is not what the rules believe");
        if (item.second_reading && (worked || !host.published.empty()))
            move.violations.push_back("work on a second reading");
        publish(next, host.published, move);
        move.label = fmt::format("{} {}{}{}", contract().service, item.label,
                                 host.log.empty() ? "" : ": ", fmt::join(host.log, ", "));
        move.to = intern(std::move(next));
        if (move.to != at || !move.violations.empty()) moves.push_back(std::move(move));
    } while (choices.next());
}

// ---- what can happen ----------------------------------------------------------------------------

const std::deque<Move>& ExploredService::by_itself(std::uint32_t at) {
    const auto [known, fresh] = by_itself_.try_emplace(at);
    if (fresh) {
        Moves& moves = known->second;
        attempts(at, moves);
        operators(at, moves);
        answers(at, moves);
        second_readings(at, moves);
    }
    return known->second;
}

const std::deque<Move>& ExploredService::delivered(std::uint32_t at, std::size_t message) {
    const auto [known, fresh] = delivered_.try_emplace(std::uint64_t{at} * kMostMessages + message);
    if (fresh) {
        const core::Message event = messages_.message(message);
        take(at,
             {.label = "reads " + messages_.name(message),
              .work = [&](core::Saga& saga) { saga.on_event(event); },
              .message = message},
             known->second);
    }
    return known->second;
}

const std::deque<Move>& ExploredService::asked(std::uint32_t at, std::size_t client) {
    const auto [known, fresh] =
        asked_.try_emplace(std::uint64_t{at} * landscape_.clients.size() + client);
    if (fresh) {
        const ByClient& asks = landscape_.clients[client];
        ServiceState next = states_[at];
        Move move{.label = fmt::format("{} is asked for {}", asks.service, asks.event),
                  .optional = true};
        publish(next,
                {{.type = event_type(asks.event), .step = asks.event, .role = core::Role::command}},
                move);
        move.to = intern(std::move(next));
        known->second.push_back(std::move(move));
    }
    return known->second;
}

void ExploredService::attempts(std::uint32_t at, Moves& moves) {
    for (const StoredParked& due : std::vector(states_[at].stored.parked)) {
        if (due.due != Due::now) continue;
        std::optional<core::Message> event;
        if (due.message != 0) event = messages_.message(due.message - 1);
        take(at,
             {"tries again",
              [&](core::Saga& saga) { saga.on_retry(due.row, event ? &*event : nullptr); }},
             moves);
    }
    for (const StoredTimer& timer : std::vector(states_[at].stored.timers))
        take(at,
             {"is late",
              [&](core::Saga& saga) {
                  saga.on_timer({.step = timer.step, .run = timer.run}, timer.nth);
              }},
             moves);
}

void ExploredService::operators(std::uint32_t at, Moves& moves) {
    constexpr std::array kWords{"retries", "skips", "drops"};
    for (const StoredParked& dead : std::vector(states_[at].stored.parked)) {
        if (dead.row.state != Parking::dead) continue;
        std::optional<core::Message> event;
        if (dead.message != 0) event = messages_.message(dead.message - 1);
        for (const core::Operation operation : landscape_.operators)
            take(at,
                 {fmt::format("operator {}", kWords.at(static_cast<std::size_t>(operation))),
                  [&](core::Saga& saga) {
                      saga.on_operation(operation, dead.row, event ? &*event : nullptr);
                  },
                  true},
                 moves);
    }
}

/// An answer may come after everybody gave up waiting for it.
void ExploredService::answers(std::uint32_t at, Moves& moves) {
    for (const StoredCall& call : std::vector(states_[at].stored.calls)) {
        const core::StepRow* standing = states_[at].stored.step(call.step, call.run);
        const core::StepRow row = standing == nullptr ? core::StepRow{} : *standing;
        take(at,
             {"is answered", [&](core::Saga& saga) { saga.on_answer(row, call.part, {}); },
              call.given_up},
             moves);
        if (!landscape_.calls_die || call.given_up) continue;
        const std::uint32_t given_up = [&] {
            ServiceState next = states_[at];
            for (StoredCall& each : next.stored.calls)
                if (each.step == call.step && each.part == call.part) each.given_up = true;
            return intern(std::move(next));
        }();
        take(given_up,
             {"is never answered",
              [&](core::Saga& saga) { saga.on_dead_call(row, call.part, "silence"); }},
             moves);
    }
}

void ExploredService::second_readings(std::uint32_t at, Moves& moves) {
    const MessageSet seen = states_[at].seen;
    for (std::size_t m = 0; m < messages_.size(); ++m) {
        if (!seen[m]) continue;
        const core::Message event = messages_.message(m);
        take(at,
             {.label = "reads again " + messages_.name(m),
              .work = [&](core::Saga& saga) { saga.on_event(event); },
              .optional = true,
              .second_reading = true},
             moves);
    }
}

// ---- ends ---------------------------------------------------------------------------------------

void ExploredService::standing(std::uint32_t at, const std::set<std::string>& failures,
                               std::vector<std::string>& found) const {
    for (const detail::StepCode& step : contract().steps)
        for (const core::StepRow& row : states_[at].stored.steps) {
            if (row.step != step.name || row.state != StepState::done || !row.forward) continue;
            const auto& on = step.undone_on;
            const bool concerns =
                on.empty() || std::any_of(on.begin(), on.end(), [&](detail::Type type) {
                    return failures.contains(std::string(type->name));
                });
            if (step.fate != detail::Fate::keeps && concerns)
                found.push_back(contract().service + "." + step.name);
        }
}

void ExploredService::open(std::uint32_t at, std::vector<std::string>& found) const {
    const Stored& stored = states_[at].stored;
    if (!stored.parked.empty()) found.push_back("what is parked in " + contract().service);
    if (!stored.calls.empty()) found.push_back("a call of " + contract().service);
    if (stored.saga.key != 0 && !core::finished(contract(), stored.load()))
        found.push_back("the saga in " + contract().service);
}

}  // namespace saga::test
