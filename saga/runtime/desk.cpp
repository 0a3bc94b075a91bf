#include "saga/runtime/desk.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>

#include "saga/core/limits.hpp"
#include "saga/core/payload_rules.hpp"
#include "saga/core/subject.hpp"
#include "saga/core/verbs.hpp"
#include "saga/runtime/operations.hpp"

namespace saga::runtime {
namespace {

using nlohmann::ordered_json;

constexpr std::string_view kCommand = "command", kOperator = "operator";
constexpr std::string_view kDiscoverySubject = "$SRV.";
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

/// In a line: what it can be told, and what it does on its own.
std::string described(const Contract& contract) {
    const auto names = [](const auto& all, auto name) {
        std::vector<std::string> words;
        for (const auto& each : all) words.push_back(each.*name);
        return fmt::format("{}", fmt::join(words, ", "));
    };
    std::vector<std::string> parts;
    if (!contract.commands.empty())
        parts.push_back("commands " + names(contract.commands, &detail::CommandCode::verb));
    if (!contract.steps.empty())
        parts.push_back("steps " + names(contract.steps, &detail::StepCode::name));
    if (!contract.questions.empty())
        parts.push_back("questions " + names(contract.questions, &detail::Question::verb));
    return parts.empty() ? "reads events" : fmt::format("{}", fmt::join(parts, "; "));
}

}  // namespace

Desk::Desk(const Contract& contract, store::Store& store, bus::Bus& bus, Backups& backups,
           Clock& clock, Self self, std::function<std::string()> state)
    : contract_(contract),
      store_(store),
      bus_(bus),
      backups_(backups),
      clock_(clock),
      self_(std::move(self)),
      state_(std::move(state)) {
    for (const auto& command : contract.commands)
        add(command.verb, kCommand, command.request->full);
    for (const auto& question : contract.questions) add(question.verb, "question", "text");
    for (const core::Verb& each : core::kActVerbs) add(each.name, kOperator, each.body);
    if (std::ranges::any_of(contract.commands, [](const auto& each) { return each.asks_undo; }))
        add(core::kUndoVerb.name, kOperator, core::kUndoVerb.body);
    for (const core::Verb& each : core::kReadVerbs) add(each.name, "look", each.body);
    add(core::kBackupVerb.name, "look", core::kBackupVerb.body);
}

void Desk::add(std::string_view verb, std::string_view what, std::string_view body) {
    endpoints_.emplace(verb, Endpoint{.subject = core::request_subject(self_.name.name(), verb),
                                      .what = what,
                                      .body = std::string(body),
                                      .last_error = {}});
}

std::vector<std::string> Desk::subjects() const {
    std::vector<std::string> subjects;
    for (const auto& [verb, endpoint] : endpoints_) {
        subjects.push_back(endpoint.subject);
        if (!self_.name.shard.whole())
            subjects.push_back(core::request_subject(self_.name.service, verb));
    }
    for (const std::string_view word : kDiscovery) {
        subjects.push_back(fmt::format("$SRV.{}", word));
        subjects.push_back(fmt::format("$SRV.{}.{}", word, self_.name.service));
        subjects.push_back(fmt::format("$SRV.{}.{}.{}", word, self_.name.service, self_.instance));
    }
    return subjects;
}

bool Desk::writes(std::string_view verb) const {
    const auto found = endpoints_.find(verb);
    return found != endpoints_.end() &&
           (found->second.what == kCommand || found->second.what == kOperator);
}

void Desk::take(bus::Request request, Inbound& in, const std::string& closed) {
    if (request.subject.starts_with(kDiscoverySubject))
        for (const std::string_view word : kDiscovery)
            if (request.subject.compare(kDiscoverySubject.size(), word.size(), word) == 0)
                return bus_.answer(request.reply, discovery(word), {});
    const auto dot = request.subject.rfind('.');
    const std::string verb = request.subject.substr(dot + 1);
    const auto endpoint = endpoints_.find(verb);
    if (endpoint == endpoints_.end()) return;
    if (endpoint->second.subject == request.subject)
        return take_own(std::move(request), verb, in, closed);
    const bool for_all = !self_.name.shard.whole() &&
                         core::request_subject(self_.name.service, verb) == request.subject;
    if (for_all) take_for_all(std::move(request), verb, in, closed);
}

/// What comes to the shard by its own name may be about a saga that another one has.
void Desk::take_own(bus::Request request, const std::string& verb, Inbound& in,
                    const std::string& closed) {
    const core::Shard& shard = self_.name.shard;
    const auto saga = shard.whole() ? std::nullopt : saga_asked(verb, request.body);
    if (!saga || saga->empty() || shard.takes(*saga))
        return serve(std::move(request), verb, {}, in, closed);
    answer(verb, request.reply,
           refused("sharded", fmt::format("{} has not this saga: ask {}", self_.name.name(),
                                          core::request_subject(self_.name.service, verb))),
           clock_.steady());
}

/// Every shard hears what is asked of the service. What is about a saga its own shard answers;
/// what is about one row of a database nobody can; the rest each of them answers for its part.
void Desk::take_for_all(bus::Request request, const std::string& verb, Inbound& in,
                        const std::string& closed) {
    const core::Shard& shard = self_.name.shard;
    if (verb == "owner") return;
    if (const auto saga = saga_asked(verb, request.body)) {
        if (shard.takes(*saga)) serve(std::move(request), verb, {}, in, closed);
    } else if (!writes(verb) && verb != "letter") {
        serve(std::move(request), verb, {{core::kShardHeader, text_of(shard)}}, in, closed);
    } else if (shard.nth == 0) {
        answer(verb, request.reply,
               refused("sharded",
                       fmt::format("{} runs in {} shards: name a saga, or ask the shard: {}",
                                   self_.name.service, shard.of, endpoints_.at(verb).subject)),
               clock_.steady());
    }
}

/// The saga that a request names; a command that cannot be read names none that anybody has.
std::optional<std::string> Desk::saga_asked(std::string_view verb, Bytes body) const {
    for (const detail::CommandCode& command : contract_.commands)
        if (command.verb == verb)
            return core::is_sound(*command.request, body) ? command.key(body) : "";
    if (writes(verb) || verb == "dead" || verb == "letter") return saga_named(body);
    return std::nullopt;
}

void Desk::serve(bus::Request request, const std::string& verb, const core::Headers& headers,
                 Inbound& in, const std::string& closed) {
    Endpoint& endpoint = endpoints_.at(verb);
    ++endpoint.requests;
    const Clock::Steady now = clock_.steady();
    const auto say = [&](const std::string& json) {
        answer(verb, request.reply, json, now, headers);
    };
    if (!writes(verb)) return say(read(verb, text(request.body)));
    if (!closed.empty()) return say(refused("unavailable", closed));
    if (in.requests.size() >= core::kMaxRequests)
        return say(refused("busy", "too many requests wait: ask again"));
    if (request.body.size() > core::kMaxMessage)
        return say(
            refused("malformed", fmt::format("a request has at most {} bytes", core::kMaxMessage)));
    in.requests.push_back({verb, std::move(request.body), ++last_token_});
    asked_.emplace(last_token_, Asked{verb, std::move(request.reply), now});
}

void Desk::reply(const Reply& reply) {
    const auto asked = asked_.find(reply.token);
    if (asked == asked_.end()) return;
    const Asked& it = asked->second;
    answer(it.verb, it.reply, reply.json, it.at);
    asked_.erase(asked);
}

void Desk::answer(const std::string& verb, const std::string& reply, const std::string& json,
                  Clock::Steady asked, const core::Headers& headers) {
    if (json.size() > core::kMaxAnswer) {
        return answer(verb, reply,
                      refused("too_large", fmt::format("the answer has {} bytes, and {} is the "
                                                       "most: ask for less of it",
                                                       json.size(), core::kMaxAnswer)),
                      asked, headers);
    }
    bus_.answer(reply, json, headers);
    Endpoint& endpoint = endpoints_.at(verb);
    ++endpoint.answers;
    endpoint.taken += clock_.steady() - asked;
    if (!json.starts_with(kRefused)) return;
    ++endpoint.errors;
    endpoint.last_error = json;
}

std::string Desk::read(std::string_view verb, std::string_view body) {
    if (verb == "state") return state_();
    if (verb == "owner")
        return ordered_json{{"instance", self_.instance}, {"where", self_.where}}.dump();
    try {
        if (verb == "dead") return list_dead(store_, self_.name.name(), body);
        if (verb == "letter") return show_dead(store_, self_.name.name(), body);
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
    ordered_json json{{"name", self_.name.service},
                      {"id", self_.instance},
                      {"version", self_.version},
                      {"metadata",
                       {{"saga.role", "participant"},
                        {"saga.handles", joined(handled(contract_))},
                        {"saga.emits", joined(emitted(contract_))}}}};
    if (!self_.name.shard.whole()) json["metadata"]["saga.shard"] = text_of(self_.name.shard);
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
            const std::int64_t taken = endpoint.taken.count();
            each["processing_time"] = taken;
            each["average_processing_time"] =
                taken / static_cast<std::int64_t>(std::max<std::uint64_t>(endpoint.answers, 1));
            if (verb == "state") each["data"] = data;
        } else {
            each["metadata"] = {{"saga.asked_by", endpoint.what}};
            if (!endpoint.body.empty()) each["metadata"]["saga.body"] = endpoint.body;
        }
        endpoints.push_back(std::move(each));
    }
    json["endpoints"] = std::move(endpoints);
    if (stats) {
        json["type"] = "io.nats.micro.v1.stats_response";
        json["started"] = core::rfc3339(self_.started);
    } else {
        json["type"] = "io.nats.micro.v1.info_response";
        json["description"] = described(contract_);
    }
    return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace saga::runtime
