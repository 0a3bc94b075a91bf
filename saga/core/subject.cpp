#include "saga/core/subject.hpp"

#include <fmt/format.h>

#include <array>

#include "saga/core/limits.hpp"

namespace saga::core {
namespace {

constexpr std::array<std::string_view, 4> kKinds{"done", "failed", "undone", "ended"};

using Token = std::array<char, 3>;
constexpr auto kTokens = [] {
    std::array<Token, kPartitions> tokens{};
    for (unsigned nth = 0; nth < kPartitions; ++nth)
        tokens[nth] = {'p', static_cast<char>('0' + nth / 10), static_cast<char>('0' + nth % 10)};
    return tokens;
}();

/// Takes the next token off `rest`.
std::string_view token(std::string_view& rest) {
    const auto dot = rest.find('.');
    const std::string_view first = rest.substr(0, dot);
    rest = dot == std::string_view::npos ? std::string_view{} : rest.substr(dot + 1);
    return first;
}

}  // namespace

std::string_view name_of(Kind kind) {
    return kKinds.at(static_cast<std::size_t>(kind));
}

std::optional<Kind> kind_of(std::string_view name) {
    for (std::size_t i = 0; i < kKinds.size(); ++i)
        if (kKinds[i] == name) return static_cast<Kind>(i);
    return std::nullopt;
}

unsigned partition_of(std::string_view saga_id) {
    std::uint64_t hash = 14695981039346656037ULL;  // FNV offset basis and prime, 64 bits
    for (const char c : saga_id) hash = (hash ^ static_cast<std::uint8_t>(c)) * 1099511628211ULL;
    return static_cast<unsigned>(hash % kPartitions);
}

std::string_view partition_token(std::string_view saga_id) {
    const Token& token = kTokens.at(partition_of(saga_id));
    return {token.data(), token.size()};
}

std::string event_subject(std::string_view service, Kind kind, std::string_view event,
                          std::string_view saga_id, bool with_saga) {
    std::string subject("saga");
    subject.reserve(96 + saga_id.size());  // once is enough for names of usual length
    for (const std::string_view each : {service, name_of(kind), event, partition_token(saga_id)})
        subject.append(1, '.').append(each);
    if (with_saga) subject.append(1, '.').append(saga_id);
    return subject;
}

std::string dead_letter_subject(std::string_view service, std::string_view event,
                                std::string_view saga_id) {
    return fmt::format("saga-dlq.{}.{}.{}", service, event.empty() ? "unknown" : event,
                       saga_id.empty() ? "p00" : partition_token(saga_id));
}

bool is_dead_letter(std::string_view subject) {
    return subject.starts_with("saga-dlq.");
}

std::string request_subject(std::string_view service, std::string_view verb) {
    return fmt::format("saga-ctl.{}.{}", service, verb);
}

bool is_request(std::string_view subject) {
    return subject.starts_with("saga-ctl.");
}

std::optional<EventSubject> parse_event_subject(std::string_view subject) {
    std::string_view rest = subject;
    if (token(rest) != "saga") return std::nullopt;
    EventSubject parsed;
    parsed.service = token(rest);
    const std::optional<Kind> kind = kind_of(token(rest));
    parsed.event = token(rest);
    parsed.partition = token(rest);
    parsed.saga_id = token(rest);
    const bool whole = !parsed.service.empty() && !parsed.event.empty() &&
                       parsed.partition.size() == 3 && rest.empty() && subject.back() != '.';
    if (!kind || !whole) return std::nullopt;
    parsed.kind = *kind;
    return parsed;
}

}  // namespace saga::core
