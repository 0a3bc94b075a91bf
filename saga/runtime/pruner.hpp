// Forgets what is finished and old enough, a little at a time.
#pragma once

#include <saga/service.hpp>

#include "saga/core/limits.hpp"
#include "saga/store/store.hpp"

namespace saga::runtime {

class Pruner {
  public:
    struct Horizons {
        std::chrono::microseconds journal = core::kRetention;
        std::chrono::microseconds outbox = core::kOutboxHorizon;
    };
    Pruner(const Contract& contract, store::Store& store, Horizons horizons)
        : contract_(contract), store_(store), horizons_(horizons) {}

    /// One transaction over at most `most` rows of each kind; true: there is more to look at.
    bool step(Time now, std::size_t most = core::kPruneBatch);
    std::uint64_t pruned() const { return pruned_; }

  private:
    bool events(Time before, std::size_t most);
    bool sagas(Time before, Time now, std::size_t most);
    bool finished(std::int64_t saga);
    bool over(const store::Pruning::OldSaga& saga);
    const Contract& contract_;
    store::Store& store_;
    Horizons horizons_;
    std::int64_t after_event_ = 0, after_saga_ = 0;  // where this pass stands
    std::uint64_t pruned_ = 0;
};

}  // namespace saga::runtime
