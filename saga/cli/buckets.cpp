#include "saga/cli/buckets.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "saga/bus/jetstream.hpp"

namespace saga::cli {

/// nats-server 2.9.10 dies (nil pointer in jsMsgGetRequest and jsStreamInfoRequest) of a question
/// for a message, or for subjects, of a stream that is just being made. Its plain state it tells.
bool Bucket::has_something() const {
    const auto info =
        api_or_null(client_, fmt::format("$JS.API.STREAM.INFO.KV_{}", name_), "", timeout_);
    return info.is_object() && info.contains("state") &&
           field(info["state"], "messages", std::uint64_t{0}) > 0;
}

std::optional<std::string> Bucket::get(const std::string& key) const {
    if (!has_something()) return std::nullopt;
    return value(key);
}

std::optional<std::string> Bucket::value(const std::string& key) const {
    const nlohmann::json ask{{"last_by_subj", fmt::format("$KV.{}.{}", name_, key)}};
    const auto answer = api_or_null(client_, fmt::format("$JS.API.STREAM.MSG.GET.KV_{}", name_),
                                    ask.dump(), timeout_);
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
    const auto info =
        api_or_null(client_, fmt::format("$JS.API.STREAM.INFO.KV_{}", name_), ask.dump(), timeout_);
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

void Bucket::put(const std::string& key, const std::string& value) const {
    const auto ack = api_or_null(client_, fmt::format("$KV.{}.{}", name_, key), value, timeout_);
    if (!ack.is_object())
        throw Stop(kError, fmt::format("cannot write {} into the bucket {}", key, name_));
}

void Bucket::remove(const std::string& key) const {
    try {
        client_.request(fmt::format("$KV.{}.{}", name_, key), {}, timeout_,
                        {{"KV-Operation", "DEL"}});
    } catch (const bus::NoAnswer& none) {
        throw Stop(kUnreachable, none.what());
    }
}

std::size_t json_depth(std::string_view text) {
    std::size_t depth = 0, deepest = 0;
    bool quoted = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (quoted && c == '\\')
            ++i;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && (c == '[' || c == '{'))
            deepest = std::max(deepest, ++depth);
        else if (!quoted && (c == ']' || c == '}') && depth > 0)
            --depth;
    }
    return deepest;
}

nlohmann::json list(const nlohmann::json& object, const char* key) {
    if (!object.is_object()) return nlohmann::json::array();
    const auto found = object.find(key);
    return found != object.end() && found->is_array() ? *found : nlohmann::json::array();
}

}  // namespace saga::cli
