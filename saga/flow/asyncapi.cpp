#include "saga/flow/asyncapi.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <saga/error.hpp>

#include "saga/core/subject.hpp"
#include "saga/core/text.hpp"
#include "saga/flow/json_schema.hpp"
#include "saga/flow/words.hpp"

namespace saga::flow {
namespace {

using nlohmann::ordered_json;

constexpr auto kFlatBuffers = "application/x-flatbuffers";  // docs/protocol.md, Headers

ordered_json refer(const std::string& to) {
    return {{"$ref", "#/" + to}};
}
ordered_json text(std::string_view description) {
    return {{"type", "string"}, {"description", description}};
}

/// The headers of an event: CloudEvents 1.0 in binary mode, and the broker's own.
ordered_json headers() {
    return {
        {"type", "object"},
        {"required",
         {"Nats-Msg-Id", "ce-id", "ce-source", "ce-type", "ce-time", "ce-specversion",
          "content-type", "ce-correlationid", "ce-sagakind"}},
        {"properties",
         {{"Nats-Msg-Id", text("the event's id: the broker drops a second one")},
          {"ce-specversion", {{"type", "string"}, {"const", "1.0"}}},
          {"ce-id", text("the same id")},
          {"ce-source", text("/ and the service")},
          {"ce-type", text("full name of the payload's table")},
          {"ce-time", {{"type", "string"}, {"format", "date-time"}}},
          {"ce-correlationid", text("the saga's id")},
          {"ce-causationid", text("id of the event that caused this one")},
          {"ce-sequence", text("number in the source's outbox")},
          {"ce-sagakind", {{"type", "string"}, {"enum", {"done", "failed", "undone", "ended"}}}},
          {"content-type", {{"type", "string"}, {"const", kFlatBuffers}}},
          {"traceparent", text("W3C trace context")}}}};
}

class Document {
  public:
    Document(std::span<const Contract> contracts, std::span<const core::PayloadSchema> schemas)
        : schemas_(schemas) {
        for (const Contract& contract : contracts) add_channels(contract);
        for (const Contract& contract : contracts) add_operations(contract);
    }

    ordered_json take(const ApiInfo& info) && {
        ordered_json all{
            {"asyncapi", "3.0.0"},
            {"info",
             {{"title", info.title},
              {"version", info.version},
              {"description",
               "Services that react to each other's events, and undo their work when a saga fails. "
               "An event is the payload of a FlatBuffers envelope (file identifier SAGA); its "
               "schema is given as `saga decode` shows it."}}},
            {"defaultContentType", kFlatBuffers},
            {"channels", std::move(channels_)},
            {"operations", ordered_json::object()},
            {"components",
             {{"messages", std::move(messages_)}, {"schemas", std::move(components_)}}}};
        for (auto& [name, operation] : operations_) all["operations"][name] = std::move(operation);
        return all;
    }

  private:
    struct Event {
        std::string channel, subject;  ///< the subject as a filter
        std::set<Kind> kinds;
    };

    /// With its payload, where a schema is known.
    ordered_json message(const std::string& type, std::string_view summary) {
        ordered_json made{{"name", type},
                          {"title", short_name(type)},
                          {"summary", summary},
                          {"contentType", kFlatBuffers}};
        for (const core::PayloadSchema& schema : schemas_)
            if (add_json_schema(schema, type, components_)) {
                made["payload"] = refer("components/schemas/" + type);
                break;
            }
        return made;
    }

    void add_event(const std::string& service, const std::string& type,
                   const std::set<Kind>& kinds) {
        const std::string_view name = short_name(type);
        std::vector<std::string_view> words;
        for (const Kind kind : kinds) words.push_back(core::name_of(kind));
        const bool one = words.size() == 1;
        const std::string kind(one ? words.front() : "{kind}");
        Event& event = events_[type];
        event = {.channel = fmt::format("{}.{}", service, name),
                 .subject = fmt::format("saga.{}.{}.{}.>", service, one ? kind : "*", name),
                 .kinds = kinds};
        ordered_json made = message(type, kinds.contains(Kind::failed)  ? "fails its saga"
                                          : kinds.contains(Kind::ended) ? "its saga's last word"
                                                                        : "a fact of its saga");
        components_["eventHeaders"] = headers();
        made["headers"] = refer("components/schemas/eventHeaders");
        messages_[type] = std::move(made);
        ordered_json parameters{
            {"partition", {{"description", "p00 to p63: FNV-1a 64 of the saga's id, modulo 64"}}}};
        if (!one)
            parameters["kind"] = {{"enum", words},
                                  {"description",
                                   "done on the way forward, undone on the way "
                                   "back, ended of the last word"}};
        channels_[event.channel] = {
            {"address", fmt::format("saga.{}.{}.{}.{{partition}}", service, kind, name)},
            {"messages", {{std::string(name), refer("components/messages/" + type)}}},
            {"parameters", std::move(parameters)},
            {"x-jetstream", {{"stream", core::kStream}, {"subject", event.subject}}}};
    }

    /// A request and its answer; `type` is the request's table, and empty where it is a text.
    void add_request(const std::string& service, const std::string& verb, const std::string& type,
                     std::string_view answer) {
        const std::string name = service + "." + verb;
        const std::string request = type.empty() ? "text" : type;
        if (type.empty())
            messages_[request] = {{"title", "Argument"},
                                  {"summary", "a question's argument, or nothing"},
                                  {"contentType", "text/plain"},
                                  {"payload", {{"type", "string"}}}};
        else
            messages_[request] = message(type, "a command's body");
        channels_[name] = {
            {"address", core::request_subject(service, verb)},
            {"messages",
             {{std::string(short_name(request)), refer("components/messages/" + request)}}}};
        add_answers();
        operations_[fmt::format("{}.answer.{}", service, verb)] = {
            {"action", "receive"},
            {"channel", refer("channels/" + name)},
            {"tags", {{{"name", service}}}},
            {"reply",
             {{"channel", refer("channels/answers")},
              {"messages", {refer(fmt::format("channels/answers/messages/{}", answer))}}}}};
    }

    void add_answers() {
        if (channels_.contains("answers")) return;
        const auto json = [](std::string_view title, const ordered_json& payload) {
            return ordered_json{
                {"title", title}, {"contentType", "application/json"}, {"payload", payload}};
        };
        const ordered_json refused{
            {"type", "object"},
            {"required", {"refused"}},
            {"properties",
             {{"refused",
               {{"type", "object"},
                {"required", {"code", "why"}},
                {"properties", {{"code", text("what it is")}, {"why", text("in a sentence")}}}}}}}};
        const ordered_json accepted{{"type", "object"},
                                    {"required", {"accepted"}},
                                    {"properties",
                                     {{"accepted",
                                       {{"type", "object"},
                                        {"required", {"saga", "event", "id"}},
                                        {"properties",
                                         {{"saga", text("its id")},
                                          {"event", text("what it became")},
                                          {"id", text("the event's id")}}}}}}}};
        components_["Refused"] = refused;
        components_["Accepted"] = accepted;
        const ordered_json rows{{"type", "array"}, {"items", {{"type", "object"}}}};
        messages_["Decision"] =
            json("Decision",
                 {{"anyOf",
                   {refer("components/schemas/Accepted"), refer("components/schemas/Refused")}}});
        messages_["Rows"] = json("Rows", {{"anyOf", {rows, refer("components/schemas/Refused")}}});
        channels_["answers"] = {
            {"address", nullptr},
            {"description", "the request's reply subject, which begins with _INBOX."},
            {"messages",
             {{"Decision", refer("components/messages/Decision")},
              {"Rows", refer("components/messages/Rows")}}}};
    }

    void add_channels(const Contract& contract) {
        const std::string& service = contract.service;
        const auto require = [](std::string_view word) {
            if (!core::is_saga_id(word))
                throw Error(fmt::format("\"{}\" is no name of a service or a verb", word));
        };
        require(service);
        for (const auto& [type, kinds] : published_by(contract)) {
            add_event(service, type, kinds);
            operation(service, "send", type);
        }
        for (const Command& command : contract.commands) {
            require(command.verb);
            if (!command.request.empty() && !core::is_type(command.request))
                throw Error(fmt::format("\"{}\" is no name of a table", command.request));
            add_request(service, command.verb, command.request, "Decision");
        }
        for (const std::string& question : contract.questions) {
            require(question);
            add_request(service, question, "", "Rows");
        }
    }

    /// The operation of a service on an event's channel.
    ordered_json& operation(const std::string& service, std::string_view action,
                            const std::string& type) {
        const Event& event = events_.at(type);
        ordered_json& made =
            operations_[fmt::format("{}.{}.{}", service, action, short_name(type))];
        if (made.is_null())
            made = {{"action", action},
                    {"channel", refer("channels/" + event.channel)},
                    {"tags", {{{"name", service}}}}};
        return made;
    }

    /// `does`, of a service, is what the event is received for.
    void receives(const std::string& service, const std::string& trigger, const std::string& does) {
        for (const auto& [type, event] : events_) {
            const bool any = trigger == kAnyEvent ||
                             (trigger == kAnyFailure && event.kinds.contains(Kind::failed));
            if (!any && trigger != type) continue;
            ordered_json& made = operation(service, "receive", type);
            made["x-saga"]["for"].push_back(does);
            made["x-jetstream"] = {{"stream", core::kStream},
                                   {"consumer", service},
                                   {"filter", event.subject},
                                   {"ack_policy", "none"},
                                   {"deliver_policy", "by_start_sequence"}};
        }
    }

    void add_operations(const Contract& contract) {
        const std::string& service = contract.service;
        for (const Step& step : contract.steps) {
            for (const std::string& trigger : step.on) receives(service, trigger, step.name);
            const std::string undo = fmt::format("undo of {}", step.name);
            for (const std::string& failure : step.undo_on) receives(service, failure, undo);
            if (step.undoes() && step.undo_on.empty())
                receives(service, std::string(kAnyFailure), undo);
            for (const Expect& expect : step.expects)
                for (const std::string& answer : expect.answers)
                    receives(service, answer, fmt::format("deadline of {}", step.name));
        }
        for (const std::string& reaction : contract.reactions)
            receives(service, reaction, "reaction");
    }

    std::span<const core::PayloadSchema> schemas_;
    std::map<std::string, Event> events_;
    std::map<std::string, ordered_json> operations_;
    ordered_json channels_ = ordered_json::object(), messages_ = ordered_json::object(),
                 components_ = ordered_json::object();
};

}  // namespace

ordered_json to_asyncapi(std::span<const Contract> contracts,
                         std::span<const core::PayloadSchema> schemas, const ApiInfo& info) {
    return Document(contracts, schemas).take(info);
}

}  // namespace saga::flow
