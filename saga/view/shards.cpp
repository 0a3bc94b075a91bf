#include "saga/view/shards.hpp"

#include "saga/core/limits.hpp"
#include "saga/core/shard.hpp"
#include "saga/view/json.hpp"

namespace saga::view {

Shards::Shards(const Bucket& owners) {
    for (const auto& [name, entry] : owners.all()) {
        const auto shards = field(read_json(entry), "shards", 1U);
        if (shards > 1 && shards <= core::kPartitions) split_.emplace(name, shards);
    }
}

std::vector<std::string> Shards::instances_of(const std::string& service) const {
    const auto split = split_.find(service);
    if (split == split_.end()) return {service};
    std::vector<std::string> names;
    for (const core::Instance& each : core::instances_of(service, split->second))
        names.push_back(each.name());
    return names;
}

}  // namespace saga::view
