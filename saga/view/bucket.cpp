#include "saga/view/bucket.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "saga/bus/jetstream.hpp"
#include "saga/view/json.hpp"

namespace saga::view {

nlohmann::json ask_api(bus::NatsClient& client, const std::string& subject, const std::string& body,
                       std::chrono::milliseconds timeout) {
    std::string answer;
    try {
        answer = client.request_text(subject, body, timeout);
    } catch (const bus::NoAnswer& none) {
        if (none.trouble != bus::Trouble::no_responders) throw;
        throw bus::NoAnswer(none.trouble,
                            "the nats-server runs without JetStream: start it with -js");
    }
    auto json = nlohmann::json::parse(answer, nullptr, false);
    if (!json.is_object()) throw Error("the broker's answer cannot be read: " + answer);
    const auto error = json.find("error");
    if (error == json.end()) return json;
    if (error->value("code", 0) == 404) return nullptr;
    throw Error(error->value("description", "the broker refused without a reason"));
}

/// nats-server 2.9.10 dies (nil pointer in jsMsgGetRequest and jsStreamInfoRequest) of a question
/// for a message, or for subjects, of a stream that is just being made. Its plain state it tells.
bool Bucket::has_something() const {
    const auto info = api_(fmt::format("$JS.API.STREAM.INFO.KV_{}", name_), "");
    return info.is_object() && info.contains("state") &&
           field(info["state"], "messages", std::uint64_t{0}) > 0;
}

std::optional<std::string> Bucket::get(const std::string& key) const {
    if (!has_something()) return std::nullopt;
    return value(key);
}

std::optional<std::string> Bucket::value(const std::string& key) const {
    const nlohmann::json ask{{"last_by_subj", fmt::format("$KV.{}.{}", name_, key)}};
    const auto answer = api_(fmt::format("$JS.API.STREAM.MSG.GET.KV_{}", name_), ask.dump());
    if (answer.is_null()) return std::nullopt;
    const auto read = bus::read_message(answer.dump());
    const auto* message = std::get_if<bus::StoredMessage>(&read);
    if (message == nullptr || message->bytes.empty()) return std::nullopt;  // deleted: no value
    return std::string(reinterpret_cast<const char*>(message->bytes.data()), message->bytes.size());
}

std::map<std::string, std::string> Bucket::all() const {
    if (!has_something()) return {};
    const std::string prefix = fmt::format("$KV.{}.", name_);
    const nlohmann::json ask{{"subjects_filter", prefix + ">"}};
    const auto info = api_(fmt::format("$JS.API.STREAM.INFO.KV_{}", name_), ask.dump());
    std::map<std::string, std::string> found;
    if (info.is_null() || !info["state"].is_object()) return found;
    const auto subjects = info["state"].value("subjects", nlohmann::json::object());
    if (!subjects.is_object()) return found;
    for (const auto& [subject, messages] : subjects.items()) {
        if (!subject.starts_with(prefix)) continue;
        const std::string key = subject.substr(prefix.size());
        if (auto found_value = value(key)) found.emplace(key, std::move(*found_value));
    }
    return found;
}

}  // namespace saga::view
