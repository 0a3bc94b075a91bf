#include "saga/view/course.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <saga/detail/event_type.hpp>
#include <set>

namespace saga::view {
namespace {

std::string short_name(std::string_view type) {
    return std::string(detail::split_type(type).name);
}

/// One saga's facts, with what the rules ask of them.
class Facts {
  public:
    explicit Facts(std::span<const Fact> facts) {
        std::set<EventId> seen;
        for (const Fact& fact : facts)
            if (seen.insert(fact.id).second) facts_.push_back(&fact);
    }
    const std::vector<const Fact*>& all() const { return facts_; }

    /// The first of a type that goes this way; null when there is none.
    const Fact* find(std::string_view type, bool forward) const {
        for (const Fact* fact : facts_)
            if (fact->type == type && fact->forward() == forward) return fact;
        return nullptr;
    }
    const Fact* first_failure() const {
        for (const Fact* fact : facts_)
            if (fact->failure() || !fact->because.empty()) return fact;
        return nullptr;
    }
    /// Whether a step said something, other than in its undo. A command has no cause.
    bool answered(std::string_view service, std::string_view step,
                  const EventId* trigger = nullptr) const {
        return std::any_of(facts_.begin(), facts_.end(), [&](const Fact* fact) {
            return fact->service == service && fact->step == step && fact->cause &&
                   (trigger == nullptr || fact->cause == *trigger);
        });
    }
    bool passed_over(std::string_view service, std::string_view step, const EventId& trigger,
                     bool undo) const {
        return std::any_of(facts_.begin(), facts_.end(), [&](const Fact* fact) {
            if (!fact->passed_over || fact->service != service) return false;
            const auto& word = *fact->passed_over;
            if (undo) return word.step == step && (word.what == "undo" || word.what == "call");
            return word.what == "event" ? word.event == trigger
                                        : word.step == step && word.what != "undo";
        });
    }
    bool failed_with(std::string_view failure) const {
        return std::any_of(facts_.begin(), facts_.end(), [&](const Fact* fact) {
            return (fact->failure() && fact->event == failure) || fact->because == failure;
        });
    }

  private:
    std::vector<const Fact*> facts_;
};

std::vector<std::string> names(const std::vector<flow::Emits>& events) {
    std::vector<std::string> found;
    for (const flow::Emits& each : events) found.push_back(short_name(each.event));
    return found;
}

/// Looks at one step after the other for what it still owes.
class Judge {
  public:
    Judge(const Facts& facts, bool failed) : facts_(facts), failed_(failed) {}

    std::vector<Awaited> take() {
        // What is nearest to moving first: a join waits for what others owe.
        std::stable_sort(awaited_.begin(), awaited_.end(), [](const Awaited& a, const Awaited& b) {
            constexpr std::array kOrder{0, 2, 1, 3};
            return kOrder.at(static_cast<std::size_t>(a.what)) <
                   kOrder.at(static_cast<std::size_t>(b.what));
        });
        return std::move(awaited_);
    }

    void look(const std::string& service, const flow::Step& step) {
        if (failed_) look_undo(service, step);
        if (!failed_) look_timers(service, step);
        if (step.success() == nullptr) return;  // it may stay silent
        if (step.on_any_failure()) {
            if (failed_) owe(service, step, *facts_.first_failure());
        } else if (step.on.size() == 1) {
            for (const Fact* fact : facts_.all())
                if (fact->type == step.on.front() && fact->forward() == !failed_)
                    owe(service, step, *fact);
        } else {
            look_join(service, step);
        }
    }

  private:
    void owe(const std::string& service, const flow::Step& step, const Fact& trigger) {
        const bool answered = step.once_per_event ? facts_.answered(service, step.name, &trigger.id)
                                                  : facts_.answered(service, step.name);
        if (answered || facts_.passed_over(service, step.name, trigger.id, false)) return;
        const bool listed = !step.once_per_event && !awaited_.empty() &&
                            awaited_.back().service == service && awaited_.back().step == step.name;
        if (listed) return;  // a second trigger of a step that runs once
        awaited_.push_back(
            {Awaited::What::step, service, step.name, names(step.emits), trigger.time, step.calls});
    }

    void look_join(const std::string& service, const flow::Step& step) {
        if (facts_.answered(service, step.name)) return;
        const Fact* last = nullptr;
        std::vector<std::string> missing;
        for (const std::string& type : step.on) {
            const Fact* half = facts_.find(type, !failed_);
            if (half == nullptr)
                missing.push_back(
                    fmt::format("{} from {}", short_name(type), detail::split_type(type).owner));
            else if (last == nullptr || half->seq > last->seq)
                last = half;
        }
        if (last == nullptr) return;
        if (missing.empty()) return owe(service, step, *last);
        if (failed_) return;  // half of a join that will never be whole
        awaited_.push_back(
            {Awaited::What::join, service, step.name, std::move(missing), last->time, false});
    }

    void look_undo(const std::string& service, const flow::Step& step) {
        if (!step.undoes() || step.undone.empty()) return;
        const bool wanted =
            step.undo_on.empty() ||
            std::any_of(step.undo_on.begin(), step.undo_on.end(), [&](const std::string& type) {
                return facts_.failed_with(detail::split_type(type).name);
            });
        const Fact* done = nullptr;
        bool undone = false;
        for (const Fact* fact : facts_.all()) {
            if (fact->service != service || fact->step != step.name) continue;
            if (fact->forward() && step.success() && fact->type == step.success()->event)
                done = fact;
            if (fact->kind == Kind::undone) undone = true;
        }
        if (!wanted || done == nullptr || undone ||
            facts_.passed_over(service, step.name, done->id, true))
            return;
        const Time since = std::max(done->time, facts_.first_failure()->time);
        awaited_.push_back(
            {Awaited::What::undo, service, step.name, names(step.undone), since, step.undo_calls});
    }

    void look_timers(const std::string& service, const flow::Step& step) {
        const Fact* base = nullptr;
        for (const Fact* fact : facts_.all())
            if (step.success() ? fact->service == service && fact->type == step.success()->event
                               : step.on.size() == 1 && fact->type == step.on.front())
                base = fact;
        if (base == nullptr) return;
        for (const flow::Expect& expect : step.expects) {
            const auto came = [&](std::string_view type) { return facts_.find(type, true); };
            if (std::any_of(expect.answers.begin(), expect.answers.end(), came)) continue;
            const bool asked =
                std::any_of(expect.asks.begin(), expect.asks.end(),
                            [&](const flow::Emits& ask) { return came(ask.event) != nullptr; });
            if (asked) continue;
            awaited_.push_back({Awaited::What::timer, service, step.name, names(expect.asks),
                                base->time + expect.after, false});
        }
    }

    const Facts& facts_;
    bool failed_;
    std::vector<Awaited> awaited_;
};

/// The saga failed while a step was asking outside: it will be done, and then undone. No event says
/// that it began; the service does.
void add_open_calls(Judgement& judged, const Facts& facts, const Landscape& landscape,
                    std::span<const Letter> letters) {
    for (const Letter& letter : letters) {
        const auto known = [&](const Awaited& each) {
            return each.service == letter.service && each.step == letter.step;
        };
        if (!letter.open_call() || facts.answered(letter.service, letter.step) ||
            std::any_of(judged.awaited.begin(), judged.awaited.end(), known))
            continue;
        Awaited awaited{.what = Awaited::What::step,
                        .service = letter.service,
                        .step = letter.step,
                        .events = {},
                        .since = judged.last,
                        .calls = true};
        const auto service = landscape.services().find(letter.service);
        if (service != landscape.services().end())
            for (const flow::Step& step : service->second.steps)
                if (step.name == letter.step) awaited.events = names(step.emits);
        judged.awaited.push_back(std::move(awaited));
    }
}

Course course_of(const Judgement& judged, bool known, std::span<const Letter> letters) {
    const bool failed = !judged.failed_by.empty() && !judged.alarm;
    const bool ended = !judged.last_word.empty();
    if (!failed && ended) return Course::completed;
    for (const Letter& letter : letters)
        if (letter.dead() && failed && (letter.what == "undo" || letter.what == "call"))
            return Course::undo_failed;
    const bool open = known ? !judged.awaited.empty() : !ended;
    if (failed && !open) return Course::undone;
    for (const Letter& letter : letters)
        if (letter.dead() && !letter.aside()) return Course::stuck;
    if (failed) return Course::undoing;
    return open ? Course::running : Course::stuck;
}

}  // namespace

std::string_view name_of(Course course) {
    constexpr std::array<std::string_view, 6> kNames{"running", "completed",   "undoing",
                                                     "undone",  "undo failed", "stuck"};
    return kNames.at(static_cast<std::size_t>(course));
}

Judgement judge(std::span<const Fact> given, const Landscape& landscape,
                std::span<const Letter> letters) {
    const Facts facts(given);
    Judgement judged{.started = given.front().started, .last = given.front().time};
    for (const Fact* fact : facts.all()) {
        const bool failed = fact->failure() || !fact->because.empty();
        if (failed && judged.failed_by.empty()) {
            judged.failed_by = fact->because.empty() ? fact->event : fact->because;
            judged.alarm = !judged.last_word.empty();
        }
        if (fact->kind == Kind::ended && judged.last_word.empty()) judged.last_word = fact->event;
        judged.last = std::max(judged.last, fact->time);
    }
    const bool failed = !judged.failed_by.empty() && !judged.alarm;
    if (failed || judged.last_word.empty()) {
        Judge steps(facts, failed);
        for (const auto& [name, service] : landscape.services())
            for (const flow::Step& step : service.steps) steps.look(name, step);
        judged.awaited = steps.take();
    }
    if (failed) add_open_calls(judged, facts, landscape, letters);
    judged.course = course_of(judged, !landscape.empty(), letters);
    return judged;
}

}  // namespace saga::view
