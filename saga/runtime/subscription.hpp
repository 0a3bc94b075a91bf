// Which subjects a service reads, and which messages of a wide filter are its own business.
#pragma once

#include <saga/service.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "saga/core/shard.hpp"

namespace saga::runtime {

class Subscription {
  public:
    explicit Subscription(const Contract& contract, const core::Shard& shard = {});

    /// Never crossing, and each ends in ">": every failure, every last word, each event that the
    /// service takes, and its own.
    const std::vector<std::string>& filters() const { return filters_; }
    /// Whether one of the filters takes the subject, and its saga is this shard's.
    bool wants(std::string_view subject) const;
    /// What the service published itself, all its shards.
    std::string own_filter() const { return "saga." + service_ + ".>"; }
    const core::Shard& shard() const { return shard_; }

  private:
    std::string service_;
    core::Shard shard_;
    bool everything_ = false;                                            // a reaction on AnyEvent
    std::set<std::pair<std::string, std::string>, std::less<>> events_;  // (owner, name)
    std::vector<std::string> filters_;
};

}  // namespace saga::runtime
