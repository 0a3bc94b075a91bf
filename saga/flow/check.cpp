#include "saga/flow/check.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <set>

#include "saga/flow/shape.hpp"
#include "saga/flow/words.hpp"

namespace saga::flow {
namespace {

using What = Finding::What;

/// Of all models: which steps were ever done, and which were taken back.
struct Undos {
    std::set<const Step*> done, undone;
};

class Judge {
  public:
    Judge(const Model& model, std::vector<Finding>& findings, Undos& undos)
        : model_(model), findings_(findings), undos_(undos) {}

    void look(const Moment& now) {
        for (Index at = 0; at < model_.works.size(); ++at) {
            const Phase phase = now.phase(at);
            if (phase == Phase::undone) undos_.undone.insert(work(at).step);
            if (phase != Phase::done) continue;
            undos_.done.insert(work(at).step);
            look_at(now, at);
        }
        if (now.last()) look_at_end(now);
    }

  private:
    using Still = std::function<bool(const Moment&)>;
    struct Words {
        std::string says, mend;
    };

    std::string name(Index at) const {
        return fmt::format("{}.{}", model_.services[work(at).service], work(at).step->name);
    }
    const Model::Work& work(Index at) const { return model_.works[at]; }
    /// The type that the saga has failed by; empty.
    std::string_view failure_in(const Moment& now) const {
        for (Index m = 0; m < model_.messages.size(); ++m)
            if (model_.messages[m].kind == Kind::failed && now.published(m))
                return short_name(model_.messages[m].event);
        return {};
    }
    bool pivot_is_done(const Moment& now) const {
        for (Index at = 0; at < model_.works.size(); ++at)
            if (work(at).step->fate == Fate::pivot && now.phase(at) == Phase::done &&
                !now.cleaned_up(at))
                return true;
        return false;
    }
    bool ends_well(const Moment& now, Index at) const {
        return work(at).step->ends_saga && !now.cleaned_up(at);
    }

    /// Once for each kind and place; `words` is asked only then.
    void add(What what, const std::string& about, const Moment& now, const Still& still,
             const std::function<Words()>& words) {
        const auto same = [&](const Finding& each) {
            return each.what == what && each.about == about;
        };
        if (std::ranges::any_of(findings_, same)) return;
        const auto [says, mend] = words();
        findings_.push_back({what, about, says, mend, told(now.course(still))});
    }

    void look_at(const Moment& now, Index at) {
        const std::string_view failure = failure_in(now);
        const auto both = [this, at](const Moment& then) {
            return then.phase(at) == Phase::done && !failure_in(then).empty();
        };
        if (!failure.empty() && work(at).step->fate == Fate::pivot) {
            add(What::after_pivot, name(at), now, both, [&] {
                return Words{fmt::format("{} is the pivot, and the saga can fail beside it or "
                                         "after it: {}",
                                         name(at), failure),
                             "let what can fail come before it, or ask its service, which alone "
                             "can tell whether the pivot is done"};
            });
        } else if (!failure.empty() && ends_well(now, at) && !pivot_is_done(now)) {
            add(What::ends_twice, name(at), now, both, [&] {
                return Words{fmt::format("{} ends the saga well, and it can fail all the same: {}",
                                         name(at), failure),
                             "let the end wait for whatever can still fail, by a join, or by a "
                             "pivot that decides"};
            });
        }
        for (Index other = 0; other < at; ++other)
            if (work(at).step->ends_saga && work(other).step->ends_saga &&
                now.phase(other) == Phase::done && now.cleaned_up(at) == now.cleaned_up(other))
                add(
                    What::ends_twice, name(at), now,
                    [at, other](const Moment& then) {
                        return then.phase(at) == Phase::done && then.phase(other) == Phase::done;
                    },
                    [&] {
                        return Words{
                            fmt::format("{} ends the saga, and so does {}", name(at), name(other)),
                            "let one step say the last word, and join what it has to wait for"};
                    });
        look_for_second(now, at);
    }

    void look_for_second(const Moment& now, Index at) {
        if (work(at).step->on_any_failure()) return;
        for (const std::vector<Index>& half : work(at).halves) {
            const auto has_come = [this, at](const Moment& then, Index message) {
                return std::ranges::any_of(model_.to[message], [&](Index delivery) {
                    return model_.deliveries[delivery].work == at && then.handled(delivery);
                });
            };
            const auto twice = [&half, has_come](const Moment& then) {
                return std::ranges::count_if(
                           half, [&](Index message) { return has_come(then, message); }) > 1;
            };
            if (half.size() > 1 && twice(now))
                add(What::twice, name(at), now, twice, [&] {
                    return Words{
                        fmt::format("{} runs once in a saga, and {} can come twice", name(at),
                                    short_name(model_.messages[half.front()].event)),
                        "publish it from one step, or say once_per_event"};
                });
        }
    }

    void look_at_end(const Moment& now) {
        const std::string_view failure = failure_in(now);
        bool ended = model_.first.command->ends_saga;
        for (Index at = 0; at < model_.works.size(); ++at) {
            const bool done = now.phase(at) == Phase::done;
            ended = ended || (done && work(at).step->ends_saga);
            if (!failure.empty() && done && !now.cleaned_up(at) && !ends_well(now, at))
                look_at_what_stands(now, at, failure);
        }
        if (!failure.empty() && model_.first.command->ends_saga)
            add(What::ends_twice, model_.first.command->verb, now, nullptr, [&] {
                return Words{fmt::format("the command {} ends the saga, and it can fail all the "
                                         "same: {}",
                                         model_.first.command->verb, failure),
                             "say ends_saga where nothing can fail any more"};
            });
        if (ended) return;
        if (failure.empty() && look_for_vain_joins(now)) return;
        const std::string about(failure.empty() ? short_name(model_.first.command->accepts)
                                                : failure);
        add(What::never_ends, about, now, nullptr, [&] {
            if (failure.empty())
                return Words{fmt::format("a saga that begins with {} can come to rest without its "
                                         "last word",
                                         about),
                             "let the step that comes last say ends_saga, on each way"};
            return Words{
                fmt::format("a saga that fails by {} comes to rest without its last word", about),
                "let a step take saga::Failed, and say ends_saga"};
        });
    }

    void look_at_what_stands(const Moment& now, Index at, std::string_view failure) {
        const Fate fate = work(at).step->fate;
        if (fate != Fate::unsaid && fate != Fate::undo) return;
        add(What::left_standing, name(at), now, nullptr, [&] {
            if (fate == Fate::unsaid)
                return Words{fmt::format("{} is done, the saga has failed by {}, and nothing says "
                                         "what that means for it",
                                         name(at), failure),
                             "say undo, or keeps where it may stand"};
            return Words{fmt::format("{} is done, the saga has failed by {}, and its undo is for "
                                     "other failures only",
                                     name(at), failure),
                         "name this failure in undo_on, or leave undo_on out: the undo is for "
                         "every failure then"};
        });
    }

    bool look_for_vain_joins(const Moment& now) {
        bool any = false;
        for (Index at = 0; at < model_.works.size(); ++at) {
            if (now.phase(at) != Phase::none) continue;
            std::vector<std::string_view> here, missing;
            for (std::size_t half = 0; half < work(at).halves.size(); ++half)
                (now.arrived(at, half) ? here : missing)
                    .push_back(short_name(work(at).step->on[half]));
            if (here.empty() || missing.empty()) continue;
            any = true;
            add(What::waits_in_vain, name(at), now, nullptr, [&] {
                return Words{
                    fmt::format("{} has {}, and waits for {}, which does not come", name(at),
                                fmt::join(here, " and "), fmt::join(missing, " and ")),
                    "let whoever decides not to publish it fail the saga, or say so by an "
                    "event that leads to an end"};
            });
        }
        return any;
    }

    /// "take: PaymentTaken", "reserve is undone: StockReleased".
    std::string told(const Happening& happening, const Happening::Work& deed) const {
        constexpr std::array<std::string_view, 3> kDeeds{"", " fails", " is undone"};
        const bool undone = deed.deed == Happening::Deed::undone;
        std::string events;
        for (const Index message : happening.published) {
            const bool of_undo = std::ranges::count(work(deed.work).undone, message) > 0;
            if (model_.messages[message].work == deed.work && of_undo == undone)
                events.append(events.empty() ? ": " : " and ")
                    .append(short_name(model_.messages[message].event));
        }
        return fmt::format("{}{}{}", work(deed.work).step->name,
                           kDeeds.at(static_cast<std::size_t>(deed.deed)), events);
    }

    std::vector<Finding::Line> told(const Course& course) const {
        std::vector<Finding::Line> lines;
        for (const Happening& each : course) {
            const bool command = each.what == Happening::What::command;
            const Index came = command ? each.published.front() : each.message;
            Finding::Line line{.from = {}, .to = model_.services[each.service], .message = {}};
            if (command)
                line.from = "client";
            else if (came != kNone)
                line.from = model_.services[model_.messages[came].service];
            line.message = came == kNone ? "its deadline"
                                         : std::string(short_name(model_.messages[came].event));
            for (const Happening::Work& deed : each.works) line.deeds.push_back(told(each, deed));
            if (each.what == Happening::What::deadline)
                line.deeds.push_back(
                    std::string(short_name(model_.messages[each.published.front()].event)));
            lines.push_back(std::move(line));
        }
        return lines;
    }

    const Model& model_;
    std::vector<Finding>& findings_;
    Undos& undos_;
};

void look_for_idle_undos(std::span<const Contract> contracts, const Undos& undos,
                         std::vector<Finding>& findings) {
    for (const Contract& contract : contracts)
        for (const Step& step : contract.steps)
            if (step.undoes() && undos.done.contains(&step) && !undos.undone.contains(&step))
                findings.push_back(
                    {What::idle_undo,
                     fmt::format("{}.{}", contract.service, step.name),
                     fmt::format("{}.{} has an undo, and no failure that can follow starts it",
                                 contract.service, step.name),
                     "say keeps or pivot, or nothing where no failure can follow",
                     {}});
}

}  // namespace

std::string_view name_of(Finding::What what) {
    constexpr std::array<std::string_view, 13> kNames{
        "no_source",   "no_reader",  "cycle",      "twice",         "left_standing",
        "after_pivot", "ends_twice", "never_ends", "waits_in_vain", "idle_undo",
        "no_command",  "mixed_join", "vain_undo"};
    return kNames.at(static_cast<std::size_t>(what));
}

Verdict check(std::span<const Contract> contracts, std::size_t most_states, Orders orders) {
    Verdict verdict;
    for (const Contract& contract : contracts) published_by(contract);  // its own events alone
    const std::vector<Model> models = models_of(contracts);
    verdict.findings = shape_findings(contracts, models);
    if (models.empty())
        verdict.findings.push_back({What::no_command,
                                    "",
                                    "no service takes a command: no saga begins",
                                    "add the contract of the service that begins it",
                                    {}});
    Undos undos;
    for (const Model& model : models) {
        const std::string& service = model.services[model.messages[model.first.message].service];
        verdict.begins.push_back(fmt::format("{}.{}", service, model.first.command->verb));
        if (!model.complete) {
            verdict.too_large = true;
            verdict.complete = false;
            continue;
        }
        Judge judge(model, verdict.findings, undos);
        const Explored explored =
            explore(model, most_states, orders, [&](const Moment& now) { judge.look(now); });
        verdict.states += explored.states;
        verdict.complete = verdict.complete && explored.complete;
    }
    if (verdict.complete) look_for_idle_undos(contracts, undos, verdict.findings);
    return verdict;
}

}  // namespace saga::flow
