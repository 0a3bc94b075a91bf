#include "saga/core/shard.hpp"

#include <fmt/format.h>

#include <charconv>

#include "saga/core/limits.hpp"
#include "saga/core/subject.hpp"

namespace saga::core {
namespace {

constexpr std::string_view kOf = "-of-";

/// Plain digits, without a sign or a leading zero.
std::optional<unsigned> number(std::string_view text) {
    unsigned value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    if (text.size() > 1 && text.front() == '0') return std::nullopt;
    return value;
}

std::optional<Shard> shard_of(std::string_view nth, std::string_view of) {
    const auto place = number(nth), count = number(of);
    if (!place || !count || *place >= *count || *count > kPartitions) return std::nullopt;
    return Shard{*place, *count};
}

/// Of "p07", the partition token of a subject.
std::optional<unsigned> partition_in(std::string_view token) {
    if (token.size() != 3 || token.front() != 'p') return std::nullopt;
    unsigned value = 0;
    const auto [end, error] = std::from_chars(token.data() + 1, token.data() + 3, value);
    if (error != std::errc{} || end != token.data() + 3) return std::nullopt;
    return value;
}

}  // namespace

bool Shard::takes(std::string_view saga_id) const {
    return whole() || partition_of(saga_id) % of == nth;
}

bool Shard::takes_subject(std::string_view subject) const {
    if (whole()) return true;
    const auto event = parse_event_subject(subject);
    const auto dot = subject.rfind('.');
    const std::string_view token =
        event ? event->partition
              : subject.substr(dot == std::string_view::npos ? subject.size() : dot + 1);
    return takes_partition(token);
}

bool Shard::takes_partition(std::string_view token) const {
    return whole() || partition_in(token).value_or(0) % of == nth;
}

std::string Shard::own_unknown() const {
    std::string saga = "unknown";
    for (unsigned i = 1; !takes(saga); ++i) saga = fmt::format("unknown-{}", i);
    return saga;
}

std::optional<Shard> parse_shard(std::string_view text) {
    const auto slash = text.find('/');
    if (slash == std::string_view::npos) return std::nullopt;
    return shard_of(text.substr(0, slash), text.substr(slash + 1));
}

std::string text_of(const Shard& shard) {
    return fmt::format("{}/{}", shard.nth, shard.of);
}

std::string Instance::name() const {
    if (shard.whole()) return service;
    return fmt::format("{}-{}{}{}", service, shard.nth, kOf, shard.of);
}

std::vector<Instance> instances_of(const std::string& service, unsigned shards) {
    std::vector<Instance> all;
    for (unsigned nth = 0; nth < shards; ++nth) all.push_back({service, {nth, shards}});
    return all;
}

Instance parse_instance(std::string_view name) {
    const auto of = name.rfind(kOf);
    const auto dash = of == std::string_view::npos ? of : name.substr(0, of).rfind('-');
    if (dash == std::string_view::npos || dash == 0) return {std::string(name), {}};
    const auto shard = shard_of(name.substr(dash + 1, of - dash - 1), name.substr(of + 4));
    if (!shard || shard->whole()) return {std::string(name), {}};
    return {std::string(name.substr(0, dash)), *shard};
}

}  // namespace saga::core
