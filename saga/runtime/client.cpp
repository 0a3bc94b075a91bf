#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <saga/client.hpp>

#include "saga/bus/nats_bus.hpp"
#include "saga/bus/nats_client.hpp"
#include "saga/core/subject.hpp"
#include "saga/core/text.hpp"
#include "saga/runtime/clock.hpp"
#include "saga/runtime/stream_view.hpp"

namespace saga {
namespace {

constexpr std::chrono::seconds kTimeout{5};
constexpr std::chrono::hours kForever{24 * 365};

}  // namespace

struct Client::Connection {
    explicit Connection(Address reached)
        : address(std::move(reached)), client(address, "saga client") {}
    Address address;
    bus::NatsClient client;
};

Client::Client(Address address) : connection_(std::make_unique<Connection>(std::move(address))) {}
Client::~Client() = default;

std::optional<Refused> Client::send_command(std::string_view service, std::string_view verb,
                                            std::vector<std::byte> request) {
    const std::vector<std::byte> answer =
        connection_->client.request(core::request_subject(service, verb), request, kTimeout);
    const std::string_view text(reinterpret_cast<const char*>(answer.data()), answer.size());
    const auto json = nlohmann::json::parse(text, nullptr, false);
    if (json.is_object() && json.contains("accepted")) return std::nullopt;
    if (!json.is_object() || !json.contains("refused"))
        throw Error(fmt::format("{} answers what no service answers: {}", service, text));
    const auto& refused = json["refused"];
    const std::string code = refused.value("code", "");
    const std::string why = refused.value("why", "");
    if (code == "unavailable" || code == "busy")  // not a "no": ask again
        throw Error(fmt::format("{} takes no command now: {}", service, why));
    return Refused{code, why};
}

std::string Client::question(std::string_view service, std::string_view verb,
                             std::string_view argument) {
    const std::vector<std::string> answers =
        connection_->client.request_all(core::request_subject(service, verb), argument, kTimeout);
    std::string joined;
    for (const std::string& answer : answers) {
        if (answer.starts_with("{\"refused\""))
            throw Error(fmt::format("{} does not answer {}: {}", service, verb, answer));
        std::string_view rows = answer;
        if (rows.starts_with('[')) rows = rows.substr(1, rows.size() - 2);
        joined.append(joined.empty() || rows.empty() ? "" : ",").append(rows);
    }
    return answers.size() == 1 ? answers.front() : "[" + joined + "]";
}

std::vector<std::string> Client::instances(std::string_view service) {
    std::vector<std::string> names;
    for (const std::string& answer :
         connection_->client.request_all(core::request_subject(service, "state"), "", kTimeout)) {
        const auto json = nlohmann::json::parse(answer, nullptr, false);
        if (!json.is_object() || !json.contains("service") || !json["service"].is_string())
            throw Error(fmt::format("{} answers what no service answers: {}", service, answer));
        names.push_back(json["service"]);
    }
    return names;
}

std::vector<std::byte> Client::ask(std::string_view subject, std::vector<std::byte> question,
                                   std::string_view key, std::chrono::milliseconds timeout) {
    core::Headers headers;
    if (!key.empty()) headers.emplace_back("Idempotency-Key", key);
    return connection_->client.request(std::string(subject), question, timeout, headers);
}

void Client::serve_bytes(const std::string& subject, std::size_t most, Answers answers) {
    connection_->client.serve(
        subject, most,
        [answers = std::move(answers)](std::span<const bus::NatsClient::Question> questions) {
            std::vector<RawQuestion> raw;
            for (const auto& question : questions) raw.push_back({question.key, question.body});
            return answers(raw);
        });
}

std::string Client::ended(std::string_view saga_id, std::chrono::milliseconds timeout) {
    if (!core::is_saga_id(saga_id)) throw Error("a saga id is 1 to 64 of A-Z a-z 0-9 _ -");
    std::string word;
    runtime::StreamView view(connection_->address);
    view.read({.filter = "saga.*.ended.>", .timeout = timeout, .follow = true},
              [&](const core::Message& message) {
                  if (message.envelope().saga != saga_id) return true;
                  word = detail::split_type(message.envelope().type).name;
                  return false;
              });
    if (word.empty())
        throw Error(fmt::format("saga {} has not ended within {} ms", saga_id, timeout.count()));
    return word;
}

bool Client::watch_ended(const std::function<bool(const Ended&)>& on_ended,
                         std::chrono::milliseconds quiet, std::stop_token stop) {
    runtime::SystemClock clock;
    bus::Steady heard = clock.steady();
    bool enough = false;
    runtime::StreamView view(connection_->address);
    const bool follow = quiet.count() > 0;
    view.read(
        {.filter = "saga.*.ended.>",
         .timeout = follow ? kForever : kTimeout,
         .follow = follow,
         .stop =
             [&] { return stop.stop_requested() || (follow && clock.steady() - heard > quiet); }},
        [&](const core::Message& message) {
            heard = clock.steady();
            const core::Envelope& word = message.envelope();
            enough = !on_ended({.id = word.id,
                                .saga_id = word.saga,
                                .event = detail::split_type(word.type).name,
                                .because = word.because,
                                .time = word.time});
            return !enough;
        });
    return enough;
}

}  // namespace saga
