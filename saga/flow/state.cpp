#include "saga/flow/state.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <saga/error.hpp>

namespace saga::flow {
namespace {

constexpr std::size_t kMostFailures = 255, kMostHalves = 8;  // what a byte of a state holds

std::size_t bytes_for(std::size_t bits) {
    return (bits + 7) / 8;
}
bool contains(const std::vector<Index>& all, Index one) {
    return std::ranges::find(all, one) != all.end();
}

}  // namespace

Layout::Layout(const Model& model)
    : messages_(model.works.size() * kWork),
      deliveries_(messages_ + bytes_for(model.messages.size())),
      timers_(deliveries_ + bytes_for(model.deliveries.size())),
      pauses_(timers_ + bytes_for(model.timers.size())),
      heard_(pauses_ + bytes_for(model.services.size())),
      service_bytes_(bytes_for(model.failures.size())),
      size_(heard_ + service_bytes_ * model.services.size()) {
    if (model.failures.size() > kMostFailures)
        throw Error(fmt::format("{} types of failures: {} can be checked", model.failures.size(),
                                kMostFailures));
    for (const Model::Work& work : model.works)
        if (work.halves.size() > kMostHalves)
            throw Error(fmt::format("the step {} joins {} events: {} can be checked",
                                    work.step->name, work.halves.size(), kMostHalves));
}

bool Layout::failed(const State& state, Index service) const {
    const std::size_t from = heard_ + service * service_bytes_;
    for (std::size_t i = 0; i < service_bytes_; ++i)
        if (state[from + i] != 0) return true;
    return false;
}

Rules::Rules(const Model& model, Orders orders)
    : model_(model), layout_(model), orders_(orders), any_picky_(orders == Orders::all) {
    for (Index service = 0; service < model.services.size(); ++service)
        any_picky_ = any_picky_ || picky(service);
}

std::vector<State> Rules::begin() const {
    State first = layout_.empty();
    layout_.publish(first, model_.first.message);
    pass_over(first);
    std::vector<State> all{first};
    for (const Model::Start& later : model_.later)
        for (std::size_t before = all.size(), n = 0; n < before; ++n) {
            State with = all[n];
            layout_.publish(with, later.message);
            pass_over(with);
            all.push_back(std::move(with));
        }
    return all;
}

/// Of what is published: whether a failure stands behind it.
bool Rules::leads_back(const State& state, Index message) const {
    const Model::Message& what = model_.messages[message];
    const bool by_kind = what.kind == Kind::failed || what.kind == Kind::undone;
    return by_kind || (what.work != kNone && Layout::cleaned_up(state, what.work));
}

bool Rules::fails(const State& state, const Model::Delivery& delivery) const {
    return leads_back(state, delivery.message);
}

/// What is published while a saga is undone tells of the failure as the failure does.
bool Rules::hears(const State& state, const Model::Delivery& delivery) const {
    return delivery.work == kNone && fails(state, delivery) &&
           cause_of(state, delivery.message) != kNone;
}

/// Whether it matters to the service which failure it hears of.
bool Rules::picky(Index service) const {
    return std::ranges::any_of(model_.works, [&](const Model::Work& work) {
        return work.service == service && !work.step->undo_on.empty();
    });
}

/// The service hears of an event before it starts anything by it; one that pauses starts nothing.
bool Rules::held_up(const State& state, const Model::Delivery& delivery) const {
    const Index service = delivery.service;
    if (!fails(state, delivery) && layout_.pauses(state, service) &&
        !layout_.failed(state, service))
        return true;
    return delivery.work != kNone &&
           std::ranges::any_of(model_.to[delivery.message], [&](Index other) {
               return model_.deliveries[other].service == service &&
                      model_.deliveries[other].work == kNone && !layout_.handled(state, other);
           });
}

/// kNone: a client.
Index Rules::owner(Index message) const {
    const Index work = model_.messages[message].work;
    return work == kNone ? kNone : model_.works[work].service;
}

Index Rules::cause_of(const State& state, Index message) const {
    const Model::Message& what = model_.messages[message];
    if (what.kind == Kind::failed) return any_picky_ ? model_.failure(what.event) : 0;
    return what.work == kNone ? kNone : Layout::cause(state, what.work);
}

/// What changes nobody's state is no part of the state.
void Rules::publish(Move& move, Index message) const {
    if (!model_.to[message].empty() || model_.messages[message].kind == Kind::failed)
        layout_.publish(move.state, message);
    move.happening.published.push_back(message);
}

/// A join that could run on the way back as well, and of which a half came on the other.
void Rules::bar_joins(State& state, Index service) const {
    for (Index at = 0; at < model_.works.size(); ++at) {
        const Model::Work& work = model_.works[at];
        if (work.service != service || !work.ways.back || Layout::phase(state, at) != Phase::none)
            continue;
        for (std::size_t half = 0; half < work.halves.size(); ++half)
            if (Layout::arrived(state, at, half)) Layout::set(state, at, Phase::barred, kNone);
    }
}

/// What is done is undone, the last first, but a last word; of a step that was never done nothing
/// is left to do.
void Rules::hear(Move& move, Index service, Index failure) const {
    if (!layout_.failed(move.state, service)) bar_joins(move.state, service);
    layout_.hear(move.state, service, failure);
    for (std::size_t i = model_.works.size(); i-- > 0;) {
        const auto at = static_cast<Index>(i);
        const Model::Work& work = model_.works[at];
        if (work.service != service || work.step->ends_saga ||
            Layout::phase(move.state, at) != Phase::done || Layout::cleaned_up(move.state, at) ||
            !model_.undone_by(work, failure))
            continue;
        Layout::set(move.state, at, Phase::undone, failure);
        move.happening.works.push_back({at, Happening::Deed::undone});
        for (const Index message : work.undone) publish(move, message);
    }
}

std::vector<Move> Rules::run(const Move& before, Index work, Index cause) const {
    const Model::Work& what = model_.works[work];
    const bool decided = std::ranges::any_of(model_.works, [&](const Model::Work& other) {
        return other.service == what.service && &other != &what &&
               other.step->fate == Fate::pivot && !other.step->calls &&
               Layout::phase(before.state, static_cast<Index>(&other - model_.works.data())) ==
                   Phase::done;
    });
    std::vector<Move> ways;
    for (const Model::Outcome& outcome : what.outcomes) {
        if (outcome.failure && decided) continue;
        Move move = before;
        Layout::set(move.state, work, outcome.failure ? Phase::failed : Phase::done, cause);
        move.happening.works.push_back(
            {work, outcome.failure ? Happening::Deed::failed : Happening::Deed::done});
        for (const Index message : outcome.publishes) publish(move, message);
        if (outcome.failure) hear(move, what.service, cause_of(move.state, outcome.publishes[0]));
        ways.push_back(std::move(move));
    }
    return ways;
}

std::vector<Move> Rules::trigger(const Move& before, const Model::Delivery& delivery) const {
    const Index work = delivery.work;
    const Model::Work& what = model_.works[work];
    if (Layout::phase(before.state, work) != Phase::none) return {before};
    const bool back = leads_back(before.state, delivery.message);
    if (back && !what.ways.back) return {before};  // of a join that also waits for what leads on
    Move move = before;
    if (!back && layout_.failed(before.state, what.service)) {
        if (what.ways.back) Layout::set(move.state, work, Phase::barred, kNone);
        return {move};
    }
    Layout::arrive(move.state, work, delivery.half);
    for (std::size_t each = 0; each < what.halves.size(); ++each)
        if (!Layout::arrived(move.state, work, each)) return {move};
    return run(move, work, back ? cause_of(move.state, delivery.message) : kNone);
}

std::vector<Move> Rules::deliver(const State& state, Index delivery) const {
    const Model::Delivery& what = model_.deliveries[delivery];
    Move begun{state,
               {.what = Happening::What::event, .service = what.service, .message = what.message}};
    layout_.handle(begun.state, delivery);
    if (hears(state, what)) hear(begun, what.service, cause_of(state, what.message));
    if (what.work == kNone) return {begun};
    return trigger(begun, what);
}

bool Rules::armed(const State& state, Index timer) const {
    const Model::Timer& what = model_.timers[timer];
    const Model::Work& work = model_.works[what.work];
    return Layout::phase(state, what.work) == Phase::done && !work.step->ends_saga &&
           !layout_.fired(state, timer) && !layout_.failed(state, work.service) &&
           std::ranges::none_of(what.answers,
                                [&](Index answer) { return layout_.handled(state, answer); });
}

/// Whether it can make a difference to the service, now or later.
bool Rules::matters(const State& state, Index delivery) const {
    const Model::Delivery& what = model_.deliveries[delivery];
    const bool failed = layout_.failed(state, what.service);
    if (hears(state, what) &&
        (!failed || (picky(what.service) &&
                     !layout_.heard(state, what.service, cause_of(state, what.message)))))
        return true;
    if (what.work == kNone) return !failed && is_awaited(delivery);
    return Layout::phase(state, what.work) == Phase::none &&
           (!failed || model_.works[what.work].ways.back) &&
           !Layout::arrived(state, what.work, what.half);
}

bool Rules::is_awaited(Index delivery) const {
    return std::ranges::any_of(model_.timers, [&](const Model::Timer& timer) {
        return contains(timer.answers, delivery);
    });
}

/// A half of a join that completes nothing: it may as well have come before anything else.
bool Rules::only_arrives(const State& state, const Model::Delivery& delivery) const {
    if (delivery.work == kNone || fails(state, delivery) || held_up(state, delivery) ||
        model_.works[delivery.work].ways.back)
        return false;
    std::size_t missing = 0;
    for (std::size_t half = 0; half < model_.works[delivery.work].halves.size(); ++half)
        if (!Layout::arrived(state, delivery.work, half)) ++missing;
    return missing > 1;
}

/// What need not be looked at in any other order than now.
void Rules::pass_over(State& state) const {
    if (orders_ == Orders::all) return;
    for (Index at = 0; at < model_.deliveries.size(); ++at) {
        const Model::Delivery& delivery = model_.deliveries[at];
        if (!layout_.published(state, delivery.message) || layout_.handled(state, at)) continue;
        const bool arrives = matters(state, at);
        if (arrives && !only_arrives(state, delivery)) continue;
        layout_.handle(state, at);
        if (arrives) Layout::arrive(state, delivery.work, delivery.half);
    }
}

std::vector<std::vector<Move>> Rules::moves(const State& state) const {
    std::vector<std::vector<Move>> all(model_.services.size());
    std::vector<bool> hears_one(model_.services.size());
    for (Index at = 0; at < model_.deliveries.size(); ++at) {
        const Model::Delivery& delivery = model_.deliveries[at];
        if (!layout_.published(state, delivery.message) || layout_.handled(state, at) ||
            held_up(state, delivery))
            continue;
        if (hears(state, delivery) && !any_picky_ && !is_awaited(at)) {  // all are alike
            if (hears_one[delivery.service]) continue;
            hears_one[delivery.service] = true;
        }
        for (Move& move : deliver(state, at)) all[delivery.service].push_back(std::move(move));
    }
    for (Index timer = 0; timer < model_.timers.size(); ++timer) {
        if (!armed(state, timer)) continue;
        const Index service = model_.works[model_.timers[timer].work].service;
        for (const Index ask : model_.timers[timer].asks) {
            Move move{state, {.what = Happening::What::deadline, .service = service}};
            layout_.fire(move.state, timer);
            publish(move, ask);
            all[service].push_back(std::move(move));
        }
    }
    for (auto& of_service : all)
        for (Move& move : of_service) pass_over(move.state);
    return all;
}

/// Messages that may still be published: more than can come about is no harm.
std::vector<bool> Rules::to_come(const State& state) const {
    std::vector<bool> may(model_.messages.size()), can_run(model_.works.size());
    for (Index m = 0; m < may.size(); ++m) may[m] = layout_.published(state, m);
    const auto comes = [&](Index message, Index work) {
        if (!may[message]) return false;
        return std::ranges::any_of(model_.to[message], [&](Index delivery) {
            return model_.deliveries[delivery].work == work && !layout_.handled(state, delivery);
        });
    };
    const auto add = [&](const std::vector<Index>& messages) {
        bool added = false;
        for (const Index message : messages) {
            added = added || !may[message];
            may[message] = true;
        }
        return added;
    };
    for (bool more = true; more;) {
        more = false;
        for (Index w = 0; w < model_.works.size(); ++w) {
            const Model::Work& work = model_.works[w];
            const Phase phase = Layout::phase(state, w);
            const bool barred = !work.ways.back && layout_.failed(state, work.service);
            if (phase == Phase::none && !can_run[w] && !barred) {
                bool all = true;
                for (std::size_t half = 0; half < work.halves.size(); ++half)
                    all = all && (Layout::arrived(state, w, half) ||
                                  std::ranges::any_of(work.halves[half], [&](Index message) {
                                      return comes(message, w);
                                  }));
                can_run[w] = all;
            }
            if (can_run[w])
                for (const Model::Outcome& outcome : work.outcomes)
                    more = add(outcome.publishes) || more;
            if (!can_run[w] && phase != Phase::done) continue;
            for (Index m = 0; m < may.size(); ++m)
                if (may[m] && model_.messages[m].kind == Kind::failed &&
                    work.step->undone_by(model_.messages[m].event))
                    more = add(work.undone) || more;
            for (const Index timer : work.timers)
                if (!layout_.fired(state, timer)) more = add(model_.timers[timer].asks) || more;
        }
    }
    for (Index m = 0; m < may.size(); ++m) may[m] = may[m] && !layout_.published(state, m);
    return may;
}

std::vector<Move> Rules::chosen(const State& state) const {
    std::vector<std::vector<Move>> all = moves(state);
    const std::vector<bool> may = to_come(state);
    const std::vector<Move>* best = nullptr;
    const bool enough = orders_ == Orders::enough;
    for (Index service = 0; enough && service < all.size(); ++service) {
        if (all[service].empty()) continue;
        bool failures = false, alone = true, leads_on = false;
        for (Index at = 0; at < model_.deliveries.size(); ++at) {
            const Model::Delivery& delivery = model_.deliveries[at];
            if (delivery.service != service) continue;
            const Model::Ways ways = model_.messages[delivery.message].ways;
            const bool waits = layout_.published(state, delivery.message) &&
                               !layout_.handled(state, at) && !held_up(state, delivery);
            leads_on = leads_on || (waits && !fails(state, delivery));
            if (!may[delivery.message] || owner(delivery.message) == service) continue;
            failures = failures || ways.back;
            alone = alone && ways.back && !ways.on && !picky(service);
        }
        if (!alone) continue;
        if (failures && leads_on && !layout_.failed(state, service)) {
            Move move{state, {.what = Happening::What::pause, .service = service}};
            layout_.pause(move.state, service);
            all[service].push_back(std::move(move));
        }
        if (best == nullptr || all[service].size() < best->size()) best = &all[service];
    }
    if (best != nullptr) return *best;
    std::vector<Move> every;
    for (auto& of_service : all)
        for (Move& move : of_service) every.push_back(std::move(move));
    return every;
}

bool Rules::is_end(const State& state) const {
    for (Index at = 0; at < model_.deliveries.size(); ++at)
        if (layout_.published(state, model_.deliveries[at].message) && !layout_.handled(state, at))
            return false;
    return true;
}

}  // namespace saga::flow
