#include "saga/runtime/desk.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>

#include "saga/core/limits.hpp"
#include "saga/core/subject.hpp"
#include "saga/runtime/operations.hpp"

namespace saga::runtime {
namespace {

using nlohmann::ordered_json;

constexpr std::array<std::string_view, 3> kOperators{"retry", "skip", "drop"};
constexpr std::array<std::string_view, 6> kReaders{"dead",  "letter", "state",
                                                   "owner", "outbox", "backup"};
constexpr std::array<std::string_view, 3> kDiscovery{"PING", "INFO", "STATS"};

std::string_view text(Bytes body) {
    return {reinterpret_cast<const char*>(body.data()), body.size()};
}

std::string joined(const std::set<std::string>& words) {
    return fmt::format("{}", fmt::join(words, " "));
}

std::set<std::string> handled(const Contract& contract) {
    std::set<std::string> names;
    for (const auto& step : contract.steps)
        for (const detail::Type type : step.starts_on) names.emplace(type->name);
    for (const auto& reaction : contract.reactions) names.emplace(reaction.on->name);
    return names;
}

std::set<std::string> emitted(const Contract& contract) {
    std::set<std::string> names;
    for (const auto& step : contract.steps) {
        for (const auto& each : step.emits) names.emplace(each.type->name);
        for (const auto& each : step.undone) names.emplace(each.type->name);
        for (const auto& expects : step.expects)
            for (const auto& each : expects.asks) names.emplace(each.type->name);
    }
    for (const auto& command : contract.commands) names.emplace(command.accepts->name);
    return names;
}

}  // namespace

Desk::Desk(const Contract& contract, store::Store& store, bus::Bus& bus, Backups& backups,
           Self self, std::function<std::string()> state)
    : contract_(contract),
      store_(store),
      bus_(bus),
      backups_(backups),
      self_(std::move(self)),
      state_(std::move(state)) {
    const auto add = [&](std::string_view verb) {
        endpoints_.emplace(verb, Endpoint{.subject = core::request_subject(self_.name, verb)});
    };
    for (const auto& command : contract.commands) add(command.verb);
    for (const auto& question : contract.questions) add(question.verb);
    for (const std::string_view verb : kOperators) add(verb);
    for (const std::string_view verb : kReaders) add(verb);
}

std::vector<std::string> Desk::subjects() const {
    std::vector<std::string> subjects;
    for (const auto& [verb, endpoint] : endpoints_) subjects.push_back(endpoint.subject);
    for (const std::string_view word : kDiscovery) {
        subjects.push_back(fmt::format("$SRV.{}", word));
        subjects.push_back(fmt::format("$SRV.{}.{}", word, self_.name));
        subjects.push_back(fmt::format("$SRV.{}.{}.{}", word, self_.name, self_.instance));
    }
    return subjects;
}

bool Desk::writes(std::string_view verb) const {
    return std::find(kOperators.begin(), kOperators.end(), verb) != kOperators.end() ||
           std::any_of(contract_.commands.begin(), contract_.commands.end(),
                       [&](const auto& command) { return command.verb == verb; });
}

void Desk::take(bus::Request request, Inbound& in, const std::string& closed) {
    for (const std::string_view word : kDiscovery)
        if (request.subject.starts_with(fmt::format("$SRV.{}", word)))
            return bus_.answer(request.reply, discovery(word));
    const auto dot = request.subject.rfind('.');
    const std::string verb = request.subject.substr(dot + 1);
    const auto endpoint = endpoints_.find(verb);
    if (endpoint == endpoints_.end() || endpoint->second.subject != request.subject) return;
    ++endpoint->second.requests;
    if (!writes(verb)) return answer(verb, request.reply, read(verb, text(request.body)));
    if (!closed.empty()) return answer(verb, request.reply, refused("unavailable", closed));
    if (in.requests.size() >= core::kMaxRequests)
        return answer(verb, request.reply, refused("busy", "too many requests wait: ask again"));
    if (request.body.size() > core::kMaxMessage)
        return answer(
            verb, request.reply,
            refused("malformed", fmt::format("a request has at most {} bytes", core::kMaxMessage)));
    in.requests.push_back({verb, std::move(request.body), ++last_token_});
    asked_.emplace(last_token_, Asked{verb, std::move(request.reply)});
}

void Desk::reply(const Reply& reply) {
    const auto asked = asked_.find(reply.token);
    if (asked == asked_.end()) return;
    answer(asked->second.verb, asked->second.reply, reply.json);
    asked_.erase(asked);
}

void Desk::answer(const std::string& verb, const std::string& reply, const std::string& json) {
    if (json.size() > core::kMaxAnswer) {
        return answer(verb, reply,
                      refused("too_large", fmt::format("the answer has {} bytes, and {} is the "
                                                       "most: ask for less of it",
                                                       json.size(), core::kMaxAnswer)));
    }
    bus_.answer(reply, json);
    if (!json.starts_with("{\"refused\"")) return;
    Endpoint& endpoint = endpoints_.at(verb);
    ++endpoint.errors;
    endpoint.last_error = json;
}

std::string Desk::read(std::string_view verb, std::string_view body) {
    if (verb == "state") return state_();
    if (verb == "owner")
        return ordered_json{{"instance", self_.instance}, {"where", self_.where}}.dump();
    try {
        if (verb == "dead") return list_dead(store_, body);
        if (verb == "letter") return show_dead(store_, body);
        if (verb == "outbox") return list_outbox(store_.outbox, store_.cursor.position(), body);
        if (verb == "backup") return backups_.take(body);
        for (const detail::Question& question : contract_.questions)
            if (question.verb == verb) return store_.business.json(question.select, body);
    } catch (const Error& failure) {
        return refused("failed", failure.what());
    }
    return refused("unknown", "no such verb");
}

/// docs/adr and nats-architecture-and-design ADR-32 name every field.
std::string Desk::discovery(std::string_view word) const {
    ordered_json json{{"name", self_.name},
                      {"id", self_.instance},
                      {"version", self_.version},
                      {"metadata",
                       {{"saga.role", "participant"},
                        {"saga.handles", joined(handled(contract_))},
                        {"saga.emits", joined(emitted(contract_))}}}};
    if (word == "PING") {
        json["type"] = "io.nats.micro.v1.ping_response";
        return json.dump();
    }
    const bool stats = word == "STATS";
    ordered_json endpoints = ordered_json::array();
    const ordered_json data = stats ? ordered_json::parse(state_()) : ordered_json();
    for (const auto& [verb, endpoint] : endpoints_) {
        ordered_json each{{"name", verb}, {"subject", endpoint.subject}, {"queue_group", ""}};
        if (stats) {
            each["num_requests"] = endpoint.requests;
            each["num_errors"] = endpoint.errors;
            each["last_error"] = endpoint.last_error;
            each["processing_time"] = 0;
            each["average_processing_time"] = 0;
            if (verb == "state") each["data"] = data;
        } else {
            each["metadata"] = nullptr;
        }
        endpoints.push_back(std::move(each));
    }
    json["endpoints"] = std::move(endpoints);
    if (stats) {
        json["type"] = "io.nats.micro.v1.stats_response";
        json["started"] = core::rfc3339(self_.started);
    } else {
        json["type"] = "io.nats.micro.v1.info_response";
        json["description"] = fmt::format("a service of a saga: {}", contract_.service);
    }
    return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace saga::runtime
