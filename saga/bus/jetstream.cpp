#include "saga/bus/jetstream.hpp"

#include <fmt/format.h>
#include <sodium.h>

#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

#include "saga/core/limits.hpp"
#include "saga/core/subject.hpp"

namespace saga::bus {
namespace {

using nlohmann::json;

constexpr std::uint64_t kLastYear = 2261;  // nanoseconds since 1970 fit into 64 bits

std::optional<std::uint64_t> number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

Problem unreadable(std::string_view text) {
    return {Trouble::refused, 0,
            fmt::format("the broker's answer cannot be read: {}", text.substr(0, 200))};
}

/// Applies `read` to a sound answer, which carries no error; what nlohmann throws at a wrong shape
/// is an unreadable one.
template <class T, class Read>
Result<T> read_as(std::string_view text, Read read) {
    const json parsed = json::parse(text, nullptr, false);
    if (!parsed.is_object()) return unreadable(text);
    try {
        if (const auto error = parsed.find("error"); error != parsed.end() && error->is_object())
            return Problem{Trouble::refused, error->value("err_code", 0),
                           error->value("description", "the broker refused without a reason")};
        return read(parsed);
    } catch (const json::exception&) {
        return unreadable(text);
    }
}

StoreTime time_in(const json& object, const char* name) {
    return parse_time(object.value(name, "")).value_or(StoreTime{});
}

std::optional<std::vector<std::byte>> base64(const std::string& text) {
    std::vector<std::byte> bytes(text.size() / 4 * 3 + 3);
    std::size_t size = 0;
    if (sodium_base642bin(reinterpret_cast<unsigned char*>(bytes.data()), bytes.size(), text.data(),
                          text.size(), nullptr, &size, nullptr,
                          sodium_base64_VARIANT_ORIGINAL) != 0)
        return std::nullopt;
    bytes.resize(size);
    return bytes;
}

}  // namespace

std::optional<AckTokens> parse_ack_subject(std::string_view reply) {
    constexpr std::string_view kPrefix = "$JS.ACK.";
    if (!reply.starts_with(kPrefix)) return std::nullopt;
    std::array<std::string_view, 16> tokens;
    std::size_t count = 0;
    for (std::string_view rest = reply; count < tokens.size();) {
        const auto dot = rest.find('.');
        tokens[count++] = rest.substr(0, dot);
        if (dot == std::string_view::npos) break;
        rest.remove_prefix(dot + 1);
    }
    // 9 tokens, or 11 and more: nats-server ADR-15 and its successor.
    if (count != 9 && count < 11) return std::nullopt;
    const std::size_t at = count == 9 ? 4 : 6;
    const auto seq = number(tokens[at + 1]), nth = number(tokens[at + 2]),
               ns = number(tokens[at + 3]), pending = number(tokens[at + 4]);
    if (!seq || !nth || !ns || !pending) return std::nullopt;
    return AckTokens{*seq, *nth, *pending,
                     StoreTime(std::chrono::nanoseconds(static_cast<std::int64_t>(*ns)))};
}

std::string create_consumer_subject(const ConsumerSpec& spec) {
    const std::string plain =
        fmt::format("$JS.API.CONSUMER.CREATE.{}.{}", core::kStream, spec.name);
    return spec.filters.size() == 1 ? plain + "." + spec.filters.front() : plain;
}

std::string create_consumer_body(const ConsumerSpec& spec) {
    json config{{"name", spec.name},
                {"deliver_policy", "by_start_sequence"},
                {"opt_start_seq", std::max<std::uint64_t>(spec.start_seq, 1)},
                {"ack_policy", "none"},
                {"replay_policy", "instant"},
                {"inactive_threshold", spec.inactive.count()},
                {"num_replicas", 1},
                {"mem_storage", true}};
    if (spec.filters.size() == 1)
        config["filter_subject"] = spec.filters.front();
    else
        config["filter_subjects"] = spec.filters;
    return json{{"stream_name", core::kStream}, {"config", std::move(config)}}.dump();
}

std::string pull_body(const PullSpec& spec) {
    json body{{"batch", spec.batch},
              {"expires", spec.expires.count()},
              {"idle_heartbeat", spec.heartbeat.count()}};
    if (spec.max_bytes > 0) body["max_bytes"] = spec.max_bytes;
    return body.dump();
}

Result<ConsumerState> read_consumer(std::string_view text) {
    return read_as<ConsumerState>(text, [](const json& info) {
        return ConsumerState{
            .delivered = info.at("delivered").at("consumer_seq").get<std::uint64_t>(),
            .pending = info.value("num_pending", std::uint64_t{0})};
    });
}

Result<StreamInfo> read_stream_info(std::string_view text) {
    return read_as<StreamInfo>(text, [](const json& info) {
        const json& state = info.at("state");
        StreamInfo found{.state = {.created = time_in(info, "created"),
                                   .first_seq = state.at("first_seq").get<std::uint64_t>(),
                                   .last_seq = state.at("last_seq").get<std::uint64_t>(),
                                   .deleted = state.value("num_deleted", std::uint64_t{0})},
                         .config = info.at("config").dump()};
        // A stream that never held a message says 0 and 0; one whose messages expired n+1 and n.
        if (found.state.last_seq == 0) found.state.first_seq = 1;
        if (const auto holes = state.find("deleted"); holes != state.end() && holes->is_array())
            for (const json& hole : *holes) {
                if (found.state.holes.size() == core::kKnownHoles) break;
                found.state.holes.push_back(hole.get<std::uint64_t>());
            }
        return found;
    });
}

Result<StoredMessage> read_message(std::string_view text) {
    return read_as<StoredMessage>(text, [&](const json& answer) -> Result<StoredMessage> {
        const json& message = answer.at("message");
        auto bytes = base64(message.value("data", ""));
        if (!bytes) return unreadable(text);
        return StoredMessage{.subject = message.at("subject").get<std::string>(),
                             .bytes = std::move(*bytes),
                             .seq = message.at("seq").get<std::uint64_t>(),
                             .stored_at = time_in(message, "time")};
    });
}

namespace {

/// {"stream":"SAGA","seq":42}, as nearly all of them are, with or without the space that some
/// nats-servers write; anything else is for the reader of JSON.
std::optional<PubAck> plain_ack(std::string_view text) {
    constexpr std::string_view kBegin = R"({"stream":")", kThen = R"("seq":)";
    if (!text.starts_with(kBegin)) return std::nullopt;
    text.remove_prefix(kBegin.size());
    const auto quote = text.find_first_of("\"\\");
    if (quote == std::string_view::npos || text[quote] != '"') return std::nullopt;
    text.remove_prefix(quote + 1);
    if (!text.starts_with(',')) return std::nullopt;
    text.remove_prefix(text.starts_with(", ") ? 2 : 1);
    if (!text.starts_with(kThen) || !text.ends_with('}')) return std::nullopt;
    const auto seq = number(text.substr(kThen.size(), text.size() - kThen.size() - 1));
    return seq ? std::optional(PubAck{*seq, false}) : std::nullopt;
}

}  // namespace

Result<PubAck> read_pub_ack(std::string_view text) {
    if (const auto ack = plain_ack(text)) return *ack;
    return read_as<PubAck>(text, [](const json& ack) {
        return PubAck{ack.at("seq").get<std::uint64_t>(), ack.value("duplicate", false)};
    });
}

Result<std::monostate> read_success(std::string_view text) {
    return read_as<std::monostate>(text, [](const json&) { return std::monostate{}; });
}

std::optional<StoreTime> parse_time(std::string_view text) {
    using namespace std::chrono;
    if (text.size() < 20 || text.back() != 'Z' || text[10] != 'T') return std::nullopt;
    const auto field = [&](std::size_t at, std::size_t size) {
        return number(text.substr(at, size));
    };
    const auto year_at = field(0, 4), month_at = field(5, 2), day_at = field(8, 2),
               hour = field(11, 2), minute = field(14, 2), second = field(17, 2);
    if (!year_at || !month_at || !day_at || !hour || !minute || !second) return std::nullopt;
    if (*year_at < 1970 || *year_at > kLastYear) return std::nullopt;
    const year_month_day date(year(static_cast<int>(*year_at)),
                              month(static_cast<unsigned>(*month_at)),
                              day(static_cast<unsigned>(*day_at)));
    if (!date.ok()) return std::nullopt;
    std::int64_t ns = 0;
    if (text[19] == '.') {
        const std::string_view digits = text.substr(20, text.size() - 21);
        const auto fraction = number(digits);
        if (!fraction || digits.size() > 9) return std::nullopt;
        ns = static_cast<std::int64_t>(*fraction);
        for (std::size_t i = digits.size(); i < 9; ++i) ns *= 10;
    }
    return StoreTime(sys_days(date).time_since_epoch() + hours(*hour) + minutes(*minute) +
                     seconds(*second) + nanoseconds(ns));
}

std::string_view refused_subject(std::string_view words) {
    constexpr std::string_view kPublish = "Publish to \"";
    const auto at = words.find(kPublish);
    if (at == std::string_view::npos) return {};
    words.remove_prefix(at + kPublish.size());
    return words.substr(0, words.find('"'));
}

}  // namespace saga::bus
