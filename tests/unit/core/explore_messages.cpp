#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <stdexcept>

#include "tests/unit/core/explore_service.hpp"

namespace saga::test {
namespace {

constexpr Time kStarted{std::chrono::hours(1)};

}  // namespace

std::size_t Messages::add(std::size_t service, const Published& event) {
    static const core::IdKey key{{}};
    const std::string& name = landscape_.services[service].contract().service;
    const EventId id =
        key.id(kStarted, {name, "o1", event.step, event.role, event.slot, event.run});
    const std::string content = fmt::format("{} {} {} {} {}", name, event.type->name,
                                            static_cast<int>(event.kind), event.because, id.text());
    const auto [known, fresh] = numbers_.try_emplace(content, all_.size());
    const std::size_t number = known->second;
    if (!fresh) return number;
    if (number == kMostMessages) throw std::length_error("more messages than a landscape may have");
    all_.push_back({event, service, id});
    for (std::size_t s = 0; s < wanted_.size(); ++s) wanted_[s][number] = wants(s, all_.back());
    for (std::size_t c = 0; c < said_.size(); ++c) {
        allows_[c][number] = landscape_.clients[c].after == event.type->name;
        said_[c][number] = landscape_.clients[c].event == event.type->name;
    }
    failures_[number] = event.kind == Kind::failed;
    successes_[number] = event.kind == Kind::ended && event.because.empty();
    return number;
}

/// As the filters of a service's consumer are.
bool Messages::wants(std::size_t service, const Content& message) const {
    const detail::Contract& contract = landscape_.services[service].contract();
    const Kind kind = message.event.kind;
    if (kind == Kind::failed || kind == Kind::ended) return true;
    if (message.service == service && kind == Kind::undone) return true;
    const auto is = [&](detail::Type type) { return type->full == message.event.type->full; };
    for (const detail::StepCode& step : contract.steps) {
        if (std::any_of(step.starts_on.begin(), step.starts_on.end(), is)) return true;
        for (const detail::Expects& expects : step.expects)
            if (std::any_of(expects.answers.begin(), expects.answers.end(), is)) return true;
    }
    return std::any_of(contract.reactions.begin(), contract.reactions.end(),
                       [&](const auto& reaction) { return is(reaction.on); });
}

/// The payload of a failure is no sound one for anybody: nobody needs it.
core::Message Messages::message(std::size_t number) const {
    static constexpr std::array<std::byte, 1> kSound{std::byte{'.'}}, kUnsound{std::byte{'!'}};
    const Content& content = all_[number];
    const bool failed = content.event.kind == Kind::failed;
    const core::Envelope envelope{.id = content.id,
                                  .type = content.event.type->full,
                                  .saga = "o1",
                                  .started = kStarted,
                                  .cause = {},
                                  .source = landscape_.services[content.service].contract().service,
                                  .kind = content.event.kind,
                                  .step = content.event.step,
                                  .because = content.event.because,
                                  .trace = {},
                                  .sealed = {},
                                  .payload = failed ? Bytes(kUnsound) : Bytes(kSound)};
    return {Bytes{}, envelope, number + 1, core::Message::StoreTime{}};
}

std::set<std::string> Messages::names(const MessageSet& messages) const {
    std::set<std::string> names;
    for (std::size_t m = 0; m < all_.size(); ++m)
        if (messages[m]) names.insert(name(m));
    return names;
}

bool Messages::can_come(std::size_t client, const MessageSet& published) const {
    if ((published & said_[client]).any()) return false;
    return landscape_.clients[client].after.empty() || (published & allows_[client]).any();
}

}  // namespace saga::test
