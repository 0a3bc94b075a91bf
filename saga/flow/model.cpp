#include "saga/flow/model.hpp"

#include <algorithm>
#include <set>

namespace saga::flow {
namespace {

constexpr std::size_t kMostLater = 6;    // commands whose every subset is looked at
constexpr std::size_t kMostWorks = 512;  // a cycle through steps that run once for each event

bool contains(const std::vector<std::string>& all, std::string_view one) {
    return std::ranges::find(all, one) != all.end();
}

/// Whether the step takes it: which half of a join, or none.
std::size_t half_of(const Step& step, const Model::Message& message) {
    for (std::size_t half = 0; half < step.on.size(); ++half)
        if (step.on[half] == message.event ||
            (step.on[half] == kAnyFailure && message.kind == Kind::failed))
            return half;
    return step.on.size();
}

/// What comes about when every step succeeds, from this command alone.
struct Prospect {
    bool ends = false;
    std::size_t steps = 0;
};
Prospect prospect_of(std::span<const Contract> contracts, const Command& command) {
    std::set<std::string, std::less<>> said{command.accepts};
    std::set<const Step*> ran;
    Prospect prospect{command.ends_saga, 0};
    for (bool more = true; more;) {
        more = false;
        for (const Contract& contract : contracts)
            for (const Step& step : contract.steps) {
                const auto is_said = [&](const std::string& event) { return said.contains(event); };
                if (ran.contains(&step) || !std::ranges::all_of(step.on, is_said)) continue;
                ran.insert(&step);
                prospect.ends = prospect.ends || step.ends_saga;
                more = true;
                for (const Emits& emits : step.emits)
                    if (emits.kind != Kind::failed) said.insert(emits.event);
            }
    }
    prospect.steps = ran.size();
    return prospect;
}

class Making {
  public:
    Making(std::span<const Contract> contracts, const Command& first) : contracts_(contracts) {
        for (const Contract& contract : contracts) {
            model_.services.push_back(contract.service);
            add_commands(contract, first);
        }
        Index service = 0;
        for (const Contract& contract : contracts) {
            for (const Step& step : contract.steps)
                if (!step.once_per_event) add_work(step, service);
            ++service;
        }
        connect();
        find_ways();
        for (const Model::Message& message : model_.messages)
            if (message.kind == Kind::failed && !contains(model_.failures, message.event))
                model_.failures.push_back(message.event);
        add_deliveries();
        add_answers();
        std::erase_if(model_.later, [&](const Model::Start& start) {
            return first.ends_saga || model_.to[start.message].empty();
        });
        if (model_.later.size() > kMostLater) {
            model_.later.resize(kMostLater);
            model_.complete = false;
        }
    }
    Model take() && { return std::move(model_); }

  private:
    Index service() const { return static_cast<Index>(model_.services.size() - 1); }

    Index add_message(const Emits& emits, Index service, Index work) {
        model_.messages.push_back({emits.event, emits.kind, service, work});
        return static_cast<Index>(model_.messages.size() - 1);
    }

    void add_commands(const Contract& contract, const Command& first) {
        for (const Command& command : contract.commands) {
            const bool begins = &command == &first;
            if (!begins && prospect_of(contracts_, command).ends) continue;
            const Model::Start start{&command,
                                     add_message({command.accepts, Kind::done}, service(), kNone)};
            if (begins)
                model_.first = start;
            else
                model_.later.push_back(start);
        }
    }

    std::size_t add_work(const Step& step, Index service) {
        const auto at = static_cast<Index>(model_.works.size());
        Model::Work work{.step = &step, .service = service, .halves = {}, .outcomes = {}};
        work.halves.resize(step.on.size());
        std::vector<Index> success;
        for (const Emits& emits : step.emits)
            if (emits.kind != Kind::failed) success.push_back(add_message(emits, service, at));
        // Of several the first is always there; of the others a contract does not tell.
        if (success.size() > 1) work.outcomes.push_back({{success.front()}, false});
        work.outcomes.push_back({success, false});
        for (const Emits& emits : step.emits)
            if (emits.kind == Kind::failed)
                work.outcomes.push_back({{add_message(emits, service, at)}, true});
        for (const Emits& emits : step.undone)
            work.undone.push_back(add_message(emits, service, at));
        for (const Expect& expect : step.expects) {
            Model::Timer timer{.answers = {}, .asks = {}, .work = at};
            for (const Emits& emits : expect.asks)
                timer.asks.push_back(add_message(emits, service, at));
            work.timers.push_back(static_cast<Index>(model_.timers.size()));
            model_.timers.push_back(std::move(timer));
        }
        model_.works.push_back(std::move(work));
        return at;
    }

    /// Messages to the halves of what they start; one of its own for each where a step runs so.
    void connect() {
        for (std::size_t m = 0; m < model_.messages.size(); ++m)
            for (Index service = 0; service < contracts_.size(); ++service)
                for (const Step& step : contracts_[service].steps)
                    if (step.once_per_event && half_of(step, model_.messages[m]) < step.on.size()) {
                        if (model_.works.size() >= kMostWorks) {
                            model_.complete = false;
                            continue;
                        }
                        start(add_work(step, service), 0, m);
                    }
        for (std::size_t w = 0; w < model_.works.size(); ++w) {
            const Step& step = *model_.works[w].step;
            if (step.once_per_event) continue;
            for (std::size_t m = 0; m < model_.messages.size(); ++m)
                if (const std::size_t half = half_of(step, model_.messages[m]);
                    half < step.on.size())
                    start(w, half, m);
        }
    }

    void start(std::size_t work, std::size_t half, std::size_t message) {
        model_.works[work].halves[half].push_back(static_cast<Index>(message));
    }

    /// Failures and undos lead back, commands on; a success leads where its step's halves do.
    void find_ways() {
        for (Model::Message& message : model_.messages) {
            message.ways.back = message.kind == Kind::failed || message.kind == Kind::undone;
            message.ways.on = message.work == kNone;
        }
        for (bool more = true; more;) {
            more = false;
            for (Model::Work& work : model_.works) {
                for (bool Model::Ways::*way : {&Model::Ways::on, &Model::Ways::back}) {
                    if (work.ways.*way || !all_halves(work, way)) continue;
                    work.ways.*way = more = true;
                    for (const Model::Outcome& outcome : work.outcomes)
                        if (!outcome.failure) lead(outcome.publishes, way);
                    if (way == &Model::Ways::on)
                        for (const Index timer : work.timers) lead(model_.timers[timer].asks, way);
                }
            }
        }
    }
    bool all_halves(const Model::Work& work, bool Model::Ways::*way) const {
        return std::ranges::all_of(work.halves, [&](const std::vector<Index>& half) {
            return std::ranges::any_of(
                half, [&](Index message) { return model_.messages[message].ways.*way; });
        });
    }
    void lead(const std::vector<Index>& messages, bool Model::Ways::*way) {
        for (const Index message : messages)
            if (model_.messages[message].kind == Kind::done)
                model_.messages[message].ways.*way = true;
    }

    bool awaits(Index service, const std::string& event) const {
        return std::ranges::any_of(contracts_[service].steps, [&](const Step& step) {
            return std::ranges::any_of(step.expects, [&](const Expect& expect) {
                return contains(expect.answers, event);
            });
        });
    }

    void add_delivery(const Model::Delivery& delivery) {
        model_.to[delivery.message].push_back(static_cast<Index>(model_.deliveries.size()));
        model_.deliveries.push_back(delivery);
    }

    void add_deliveries() {
        model_.to.resize(model_.messages.size());
        for (Index m = 0; m < model_.messages.size(); ++m)
            for (Index service = 0; service < contracts_.size(); ++service) {
                const Model::Message& message = model_.messages[m];
                const std::vector<Step>& steps = contracts_[service].steps;
                const bool read = std::ranges::any_of(steps, [&](const Step& step) {
                    return half_of(step, message) < step.on.size();
                });
                if (awaits(service, message.event) ||
                    (message.kind == Kind::failed && !steps.empty()) || (message.ways.back && read))
                    add_delivery({m, service});
            }
        for (Index w = 0; w < model_.works.size(); ++w)
            for (std::size_t half = 0; half < model_.works[w].halves.size(); ++half)
                for (const Index message : model_.works[w].halves[half])
                    add_delivery({message, model_.works[w].service, w, half});
    }

    void add_answers() {
        for (Model::Work& work : model_.works)
            for (std::size_t nth = 0; nth < work.timers.size(); ++nth)
                for (Index d = 0; d < model_.deliveries.size(); ++d) {
                    const Model::Delivery& delivery = model_.deliveries[d];
                    if (delivery.service == work.service && delivery.work == kNone &&
                        contains(work.step->expects[nth].answers,
                                 model_.messages[delivery.message].event))
                        model_.timers[work.timers[nth]].answers.push_back(d);
                }
    }

    std::span<const Contract> contracts_;
    Model model_;
};

}  // namespace

bool Model::mixes(const Work& work) const {
    const auto has = [&](const std::vector<Index>& half, bool Ways::*way) {
        return std::ranges::any_of(half,
                                   [&](Index message) { return messages[message].ways.*way; });
    };
    return !work.ways.on && !work.ways.back &&
           std::ranges::all_of(work.halves, [&](const auto& half) {
               return has(half, &Ways::on) || has(half, &Ways::back);
           });
}

Index Model::failure(std::string_view event) const {
    const auto found = std::ranges::find(failures, event);
    return found == failures.end() ? kNone : static_cast<Index>(found - failures.begin());
}

std::vector<Model> models_of(std::span<const Contract> contracts) {
    std::vector<std::pair<const Command*, Prospect>> commands;
    std::size_t most = 0;
    bool any_ends = false;
    for (const Contract& contract : contracts)
        for (const Command& command : contract.commands) {
            commands.emplace_back(&command, prospect_of(contracts, command));
            most = std::max(most, commands.back().second.steps);
            any_ends = any_ends || commands.back().second.ends;
        }
    std::vector<Model> models;
    for (const auto& [command, prospect] : commands)
        if (any_ends ? prospect.ends : prospect.steps == most)
            models.push_back(Making(contracts, *command).take());
    return models;
}

}  // namespace saga::flow
