// Which processes act for which service, as the bucket SAGA_OWNERS says.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "saga/view/bucket.hpp"

namespace saga::view {

class Shards {
  public:
    /// Throws what the bucket throws.
    explicit Shards(const Bucket& owners);

    /// The service's own name, or those of its shards in their order.
    std::vector<std::string> instances_of(const std::string& service) const;

  private:
    std::map<std::string, unsigned> split_;  // services that run in shards, and in how many
};

}  // namespace saga::view
