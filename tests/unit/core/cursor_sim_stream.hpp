// The broker of cursor_sim.cpp: a stream that loses what it acknowledged.
#pragma once

#include <algorithm>
#include <cstdint>
#include <random>
#include <saga/event.hpp>
#include <vector>

#include "saga/core/history.hpp"

namespace saga::test {

using core::StoreTime;

struct StreamEntry {
    EventId id;  ///< zero: deleted, a hole
    StoreTime at;
};

class LossyStream {
  public:
    explicit LossyStream(std::mt19937_64& random) : random_(random) { remake(); }

    /// The duplicate window reaches back a while: then the original sequence is the answer.
    std::uint64_t publish(const EventId& id) {
        const std::size_t window = random_() % 8 == 0 ? 2 : 1'000;
        for (std::size_t back = 0; back < std::min(window, log_.size()); ++back)
            if (log_[log_.size() - 1 - back].id == id) return log_.size() - back;
        log_.push_back({id, tick()});
        return log_.size();
    }
    void lose_tail() {
        const std::size_t most = random_() % 8 == 0 ? log_.size() : 3;
        const std::size_t lost = 1 + random_() % std::min(most, log_.size());
        log_.resize(log_.size() - lost);
    }
    void lose_one() { log_[random_() % log_.size()].id = {}; }
    void remake() {
        log_.clear();
        created_ = tick();
    }

    core::StreamState state() const {
        std::vector<std::uint64_t> holes;
        for (std::uint64_t seq = 1; seq <= log_.size(); ++seq)
            if (!at(seq).id) holes.push_back(seq);
        return {.created = created_,
                .first_seq = 1,
                .last_seq = log_.size(),
                .deleted = holes.size(),
                .holes = std::move(holes)};
    }
    const StreamEntry& at(std::uint64_t seq) const { return log_[seq - 1]; }
    bool has(std::uint64_t seq) const { return seq > 0 && seq <= log_.size() && at(seq).id; }
    std::uint64_t last() const { return log_.size(); }
    bool empty() const { return log_.empty(); }
    /// Where it stands first; 0: nowhere.
    std::uint64_t find(const EventId& id) const {
        for (std::uint64_t seq = 1; seq <= last(); ++seq)
            if (at(seq).id == id) return seq;
        return 0;
    }

  private:
    StoreTime tick() { return StoreTime(std::chrono::nanoseconds(++clock_)); }
    std::mt19937_64& random_;
    std::vector<StreamEntry> log_;
    StoreTime created_;
    std::int64_t clock_ = 0;
};

}  // namespace saga::test
