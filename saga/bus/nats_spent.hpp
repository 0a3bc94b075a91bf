// Messages that nobody needs any more.
#pragma once

#include <cstddef>
#include <vector>

#include "saga/bus/nats_options.hpp"

namespace saga::bus {

/// nats.c frees messages on a thread of its own (natsGC_collect in its nats.c). One at a time they
/// would wake it each, and it would hold up our next allocations: here they wait until they are
/// many.
class Spent {
  public:
    void add(Nats<natsMsg> message) {
        bytes_ += static_cast<std::size_t>(natsMsg_GetDataLength(message.get()));
        messages_.push_back(std::move(message));
    }

    /// To be called where there is nothing else to do. Some stay.
    void release() {
        if (messages_.size() < kMany && bytes_ < kManyBytes) return;
        messages_.clear();
        bytes_ = 0;
    }

  private:
    static constexpr std::size_t kMany = 512;            // some rounds of a flowing pipeline
    static constexpr std::size_t kManyBytes = 1U << 20;  // so few of the largest ones stay

    std::vector<Nats<natsMsg>> messages_;
    std::size_t bytes_ = 0;
};

}  // namespace saga::bus
