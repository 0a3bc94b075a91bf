// One part of a service that is split by its sagas. A saga belongs to the shard that its partition
// falls to: partition modulo the number of shards.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace saga::core {

/// Header of a shard's answer where each shard gives one: "1/4".
inline constexpr std::string_view kShardHeader = "Saga-Shard";

struct Shard {
    unsigned nth = 0, of = 1;  ///< nth < of <= kPartitions

    /// A service that is not split: it takes every saga.
    bool whole() const { return of == 1; }
    bool takes(std::string_view saga_id) const;
    /// By the partition in the subject of an event or a dead letter; what has none is the first's.
    bool takes_subject(std::string_view subject) const;
    /// By the token of a subject: "p07".
    bool takes_partition(std::string_view token) const;
    /// A saga of this shard, for what is about none or about another's: "unknown", "unknown-1", ...
    std::string own_unknown() const;
    bool operator==(const Shard&) const = default;
};

/// "1/4"; nothing where it is no shard.
std::optional<Shard> parse_shard(std::string_view text);
std::string text_of(const Shard& shard);

/// A process that acts for a service, by its name: of its file, its consumer, its lease and its
/// own request subjects. "payment", or "payment-1-of-4", which no service can be called.
struct Instance {
    std::string service;
    Shard shard;

    std::string name() const;
    bool operator==(const Instance&) const = default;
};
/// All processes of a service that runs in so many shards, in their order.
std::vector<Instance> instances_of(const std::string& service, unsigned shards);
/// Of any name: one that names no shard is a service's.
Instance parse_instance(std::string_view name);

}  // namespace saga::core
