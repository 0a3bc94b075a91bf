#include "tests/unit/core/explore.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <deque>
#include <unordered_set>

#include "tests/unit/core/explore_service.hpp"

namespace saga::test {
namespace {

constexpr std::size_t kMostServices = 6;
using State = std::array<std::uint32_t, kMostServices>;  ///< of each service, which of its states

struct Hash {
    std::size_t operator()(const State& state) const {
        std::size_t hash = 0;
        for (const std::uint32_t each : state) hash = (hash ^ each) * 0x9E3779B97F4A7C15ULL;
        return hash ^ hash >> 29;
    }
};

class Explorer {
  public:
    explicit Explorer(const Landscape& landscape) : messages_(landscape), landscape_(landscape) {
        for (std::size_t nth = 0; nth < landscape.services.size(); ++nth)
            services_.emplace_back(landscape, nth, messages_);
    }

    Report run(std::size_t most_states) {
        reach({}, 0, nullptr);
        for (std::size_t at = 0; at < states_.size(); ++at) {
            if (states_.size() > most_states) {
                report_.complete = false;
                break;
            }
            go_on(static_cast<std::uint32_t>(at));
        }
        report_.states = states_.size();
        for (const ExploredService& service : services_) report_.service_states += service.size();
        return report_;
    }

  private:
    void go_on(std::uint32_t at) {
        const State state = states_[at];
        const MessageSet published = published_in(state);
        at_rest_ = true;
        clients_act(at, published);
        for (std::size_t s = 0; s < services_.size(); ++s) {
            const ServiceState& service = services_[s].state(state[s]);
            follow(at, s, services_[s].by_itself(state[s]));
            MessageSet on_its_way = messages_.wanted_by(s) & published & ~service.seen;
            if (landscape_.failure_waits && service.blocked) on_its_way &= ~messages_.failures();
            for (std::size_t m = 0; m < messages_.size(); ++m)
                if (on_its_way[m]) follow(at, s, services_[s].delivered(state[s], m));
        }
        if (at_rest_ && published.any()) judge_end(at);
    }

    void clients_act(std::uint32_t at, const MessageSet& published) {
        const State state = states_[at];
        for (std::size_t c = 0; c < landscape_.clients.size(); ++c) {
            if (!messages_.can_come(c, published)) continue;
            for (std::size_t s = 0; s < services_.size(); ++s)
                if (landscape_.clients[c].service == services_[s].name())
                    follow(at, s, services_[s].asked(state[s], c));
        }
    }

    MessageSet published_in(const State& state) const {
        MessageSet published;
        for (std::size_t s = 0; s < services_.size(); ++s)
            published |= services_[s].state(state[s]).published;
        return published;
    }

    void follow(std::uint32_t at, std::size_t service, const std::deque<Move>& moves) {
        for (const Move& move : moves) {
            State next = states_[at];
            next[service] = move.to;
            ++report_.moves;
            at_rest_ = at_rest_ && move.optional;
            reach(next, at, &move);
            for (const std::string& wrong : move.violations) violation(wrong, at, &move);
        }
    }

    void reach(const State& state, std::uint32_t from, const Move* by) {
        if (!known_.insert(state).second) return;
        states_.push_back(state);
        came_.push_back({from, by});
    }

    /// Nothing more has to happen.
    void judge_end(std::uint32_t at) {
        const MessageSet published = published_in(states_[at]);
        const std::set<std::string> names = messages_.names(published);
        bool dead = false;
        std::vector<std::string> standing, open;
        for (std::size_t s = 0; s < services_.size(); ++s) {
            dead = dead || services_[s].state(states_[at][s]).dead;
            services_[s].standing(states_[at][s], names, standing);
            services_[s].open(states_[at][s], open);
        }
        const bool failed = (published & messages_.failures()).any();
        const bool confirmed = (published & messages_.successes()).any();
        const bool passed_over = landscape_.operators.contains(core::Operation::skip) ||
                                 landscape_.operators.contains(core::Operation::drop);
        if (failed && confirmed) violation("confirmed and failed", at);
        if (failed && !standing.empty())
            violation(fmt::format("failed, and standing: {}", fmt::join(standing, ", ")), at);
        if (!failed && !confirmed && !dead && !passed_over) violation("it ends neither way", at);
        if (!open.empty() && !dead && (failed || confirmed))
            violation(fmt::format("left open: {}", fmt::join(open, ", ")), at);
        ++report_.ends[dead        ? "waits for an operator"
                       : confirmed ? "confirmed"
                       : failed    ? "failed"
                                   : "passed over"];
    }

    void violation(const std::string& what, std::uint32_t at, const Move* last = nullptr) {
        if (report_.violations.contains(what)) return;
        std::vector<std::string>& trace = report_.violations[what];
        if (last != nullptr) trace.push_back(last->label);
        for (; came_[at].by != nullptr; at = came_[at].from) trace.push_back(came_[at].by->label);
        std::reverse(trace.begin(), trace.end());
    }

    struct Came {
        std::uint32_t from;
        const Move* by;
    };
    Messages messages_;
    const Landscape& landscape_;
    std::deque<ExploredService> services_;
    std::vector<State> states_;
    std::vector<Came> came_;
    std::unordered_set<State, Hash> known_;
    Report report_;
    bool at_rest_ = true;
};

}  // namespace

std::string Report::text() const {
    std::string text = fmt::format("{} states, {} of services, {} moves, ends: {}", states,
                                   service_states, moves, ends);
    for (const auto& [what, trace] : violations)
        text += fmt::format("\n  {}\n    {}", what, fmt::join(trace, "\n    "));
    return text;
}

Report explore(const Landscape& landscape, std::size_t most_states) {
    return Explorer(landscape).run(most_states);
}

}  // namespace saga::test
