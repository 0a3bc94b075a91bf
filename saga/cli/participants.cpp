#include "saga/cli/participants.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "saga/cli/buckets.hpp"
#include "saga/cli/words.hpp"
#include "saga/core/subject.hpp"
#include "saga/view/shards.hpp"

namespace saga::cli {

nlohmann::ordered_json read_answer(const std::string& service, std::string_view verb,
                                   std::string_view text) {
    auto json = read_json<nlohmann::ordered_json>(text);
    if (json.is_discarded())
        throw Stop(kError, fmt::format("{} answers {} with what is no JSON", service, verb));
    if (!json.is_object() || !json.contains("refused")) return json;
    const nlohmann::json refused = json["refused"];
    const std::string code = field<std::string>(refused, "code", "");
    throw Stop(code == "unknown" ? kNotFound : kError,
               fmt::format("{} refuses: {}", service, field<std::string>(refused, "why", code)));
}

std::optional<ServiceState> state_of(const std::string& service, nlohmann::ordered_json answer) {
    if (!answer.is_object()) return std::nullopt;
    const nlohmann::json json = answer;
    const auto text = [&](const char* key) { return field<std::string>(json, key, ""); };
    const auto number = [&](const char* key) { return field(json, key, std::uint64_t{0}); };
    const nlohmann::json outbox = json.value("outbox", nlohmann::json::object());
    return ServiceState{.service = service,
                        .instance = text("instance"),
                        .version = text("version"),
                        .where = text("where"),
                        .trouble = text("trouble"),
                        .server = text("server"),
                        .ready = field(json, "ready", false),
                        .cursor = number("cursor"),
                        .lag = number("lag"),
                        .unsettled = field(outbox, "unsettled", std::uint64_t{0}),
                        .parked = number("parked"),
                        .dead = number("dead"),
                        .aside = number("aside"),
                        .timers = number("timers"),
                        .calls = number("calls"),
                        .db_bytes = number("db_bytes"),
                        .wal_bytes = number("wal_bytes"),
                        .oldest_seconds = field(outbox, "oldest_seconds", 0.0),
                        .json = std::move(answer)};
}

std::optional<nlohmann::ordered_json> Participants::ask(const std::string& service,
                                                        std::string_view verb,
                                                        const nlohmann::json& body) const {
    try {
        return read_answer(service, verb,
                           client_.request_text(core::request_subject(service, verb),
                                                body.is_null() ? "" : body.dump(), timeout_));
    } catch (const bus::NoAnswer&) {
        return std::nullopt;
    }
}

std::optional<ServiceState> Participants::state(const std::string& service) const {
    auto answer = ask(service, "state", nullptr);
    return answer ? state_of(service, std::move(*answer)) : std::nullopt;
}

std::optional<std::vector<Letter>> Participants::letters(const std::string& service, bool all,
                                                         const std::string& saga) const {
    return read_letters(service, all, saga,
                        [&](const nlohmann::json& body) { return ask(service, "dead", body); });
}

std::vector<std::string> known_services(bus::NatsClient& client, const Landscape& landscape,
                                        std::chrono::milliseconds timeout) {
    std::vector<std::string> names = meant_to_run(client, timeout);
    const auto add = [&](const std::string& name) {
        if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    };
    const view::Shards shards(Bucket(client, core::kOwners, timeout));
    const auto add_all = [&](const std::string& service) {
        for (const std::string& instance : shards.instances_of(service)) add(instance);
    };
    for (const auto& [name, contract] : landscape.services()) add_all(name);
    for (const auto& [name, why] : landscape.unreadable()) add_all(name);
    return names;
}

std::vector<std::string> chosen_services(bus::NatsClient& client, std::chrono::milliseconds timeout,
                                         const std::vector<std::string>& named) {
    for (const std::string& name : named)
        if (!is_service(name))
            throw Stop(kUsage, fmt::format("\"{}\" is no name of a service", harmless(name)));
    if (named.empty()) return known_services(client, landscape(client, timeout), timeout);
    const view::Shards shards(Bucket(client, core::kOwners, timeout));
    std::vector<std::string> names;
    for (const std::string& name : named)
        for (std::string& instance : shards.instances_of(name))
            names.push_back(std::move(instance));
    return names;
}

}  // namespace saga::cli
