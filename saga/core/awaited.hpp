// Outbox rows that the broker has acknowledged, until their events are read back. A service that
// has a backlog to read has as many as the backlog is long, for its own events stand behind it: so
// a row takes forty bytes here, and sixteen more while it is in doubt.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

namespace saga::core {

class Awaited {
  public:
    /// A row that is not here, whose event the reader should meet at `place` in the stream.
    void add(std::int64_t seq, std::int64_t saga, std::uint64_t place);

    struct Left {
        std::int64_t saga = 0;
        bool doubtful = false;
    };
    /// The row leaves; none: it is not here.
    std::optional<Left> take(std::int64_t seq);

    /// Whether they stand where they should is open now: each may be anywhere up to `head`.
    void doubt(std::uint64_t head);
    /// The saga's oldest row that is in doubt.
    std::optional<std::int64_t> oldest_doubtful(std::int64_t saga) const;

    /// The first in the stream, if it should have been met up to `cursor`.
    std::optional<std::int64_t> overdue(std::uint64_t cursor) const;
    /// How many should have been; counted up to `most`.
    std::size_t overdue(std::uint64_t cursor, std::size_t most) const;

    bool has(std::int64_t seq) const { return find(seq) != nullptr; }
    std::size_t size() const { return by_seq_.size() - gone_; }

  private:
    struct Row {
        std::int64_t seq, saga;
        std::uint64_t place : 62;
        std::uint64_t doubtful : 1;
        std::uint64_t gone : 1;
    };
    using Place = std::pair<std::uint64_t, std::int64_t>;  // in the stream, and whose

    const Row* find(std::int64_t seq) const;
    bool stands(const Place& place) const;
    void tidy();

    // Rows come, and are met, nearly in the order of both: at the ends.
    std::deque<Row> by_seq_;      // some are gone, and may come back; never the first or the last
    std::deque<Place> by_place_;  // some of rows that are gone; never the first
    std::vector<std::pair<std::int64_t, std::int64_t>> doubted_;  // saga and seq; likewise
    std::size_t doubtful_ = 0, gone_ = 0;
};

}  // namespace saga::core
