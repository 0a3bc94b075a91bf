#include "saga/runtime/subscription.hpp"

#include <fmt/format.h>

#include "saga/core/subject.hpp"

namespace saga::runtime {

Subscription::Subscription(const Contract& contract, const core::Shard& shard)
    : service_(contract.service), shard_(shard) {
    const auto read = [&](detail::Type type) {
        if (type == &detail::kAnyEvent) everything_ = true;
        if (type->owner.empty() || type->owner == service_) return;
        events_.emplace(type->owner, type->name);
    };
    for (const detail::StepCode& step : contract.steps) {
        for (const detail::Type type : step.starts_on) read(type);
        for (const detail::Expects& expects : step.expects)
            for (const detail::Type type : expects.answers) read(type);
    }
    for (const detail::ReactionCode& reaction : contract.reactions) read(reaction.on);

    if (everything_) {
        filters_ = {"saga.>"};
        return;
    }
    filters_ = {"saga.*.failed.>", "saga.*.ended.>", fmt::format("saga.{}.done.>", service_),
                fmt::format("saga.{}.undone.>", service_)};
    for (const auto& [owner, name] : events_) {
        filters_.push_back(fmt::format("saga.{}.done.{}.>", owner, name));
        filters_.push_back(fmt::format("saga.{}.undone.{}.>", owner, name));
    }
}

bool Subscription::wants(std::string_view subject) const {
    const auto parsed = core::parse_event_subject(subject);
    if (!parsed || !shard_.takes_partition(parsed->partition)) return false;
    if (everything_ || parsed->kind == Kind::failed || parsed->kind == Kind::ended) return true;
    return parsed->service == service_ ||
           events_.contains(std::pair(std::string(parsed->service), std::string(parsed->event)));
}

}  // namespace saga::runtime
