// Which outbox row is sent next, and which one again. Pure: the relay sends, the worker reads back.
//
// A PubAck is a hint for pace. A row leaves here only when its event was read back from the stream;
// when the reader has passed the place that the broker named without having read it, it is sent
// again. Of one saga one event at a time is on its way, so that an error in the middle cannot turn
// two events around.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <saga/event.hpp>
#include <set>
#include <vector>

namespace saga::core {

class Outgoing {
  public:
    struct Row {
        std::int64_t seq = 0;   ///< in the outbox
        std::int64_t saga = 0;  ///< its key here; 0: of no saga, ordered behind nothing
        EventId id;
    };

    /// A committed row that was not read back yet; `seq` is above all that were added before, or
    /// the row was here before and left.
    void add(const Row& row);

    /// A new connection: its PubAcks are the only ones that count from here on. Rows that an
    /// earlier one acknowledged wait until the reader has passed `head`, the stream's last sequence
    /// now, before they are sent again; later rows of their sagas wait with them.
    void connected(std::uint64_t head);

    /// The oldest row that may go, which is on its way from here on; none: nothing to send.
    std::optional<std::int64_t> next();

    /// The broker stored row `seq` at `stream_seq`, or says that it had. Rows unknown or not on
    /// their way are nobody's business.
    void acked(std::int64_t seq, std::uint64_t stream_seq);

    /// An error or a timeout: whatever has no PubAck is sent again, oldest first.
    void restart();

    /// Its event was read back from the stream. The row's seq, or none when it is not here.
    std::optional<std::int64_t> settled(const EventId& id);

    /// Its event was seen in the stream at `stream_seq`, where the reader will meet it.
    void stands(const EventId& id, std::uint64_t stream_seq);

    /// Nobody will read this one back: it leaves.
    void forget(std::int64_t seq);

    /// The reader has handled everything up to `cursor`: rows that should have been among it were
    /// lost, and go again. How many.
    std::size_t passed(std::uint64_t cursor);
    /// Whether there are such rows.
    bool overdue(std::uint64_t cursor) const {
        return !awaited_.empty() && awaited_.begin()->first <= cursor;
    }

    /// Forgets everything: after a rewind the rows come anew from the database.
    void clear();

    std::size_t in_flight() const { return in_flight_; }
    std::size_t unsettled() const { return rows_.size(); }
    /// Rows that are neither on their way nor acknowledged.
    std::size_t unsent() const { return unsent_; }

  private:
    enum class State : std::uint8_t { waiting, flying, acked };
    struct Entry {
        Row row;
        State state = State::waiting;
        std::uint64_t awaited = 0;  ///< of an acknowledged one: where the reader should meet it
    };
    struct Queue {  // of one saga: what has no PubAck of this connection
        std::set<std::int64_t> waiting;
        std::set<std::int64_t> doubtful;  ///< acknowledged by an earlier one: no later row may go
        std::int64_t flying = 0, offered = 0;
    };

    void wait(Entry& entry);
    void await(Entry& entry, std::uint64_t stream_seq);
    void leave(Entry& entry);
    void offer(Queue& queue);

    std::map<std::int64_t, Entry> rows_;
    std::map<EventId, std::int64_t> ids_;
    std::map<std::int64_t, Queue> queues_;
    std::set<std::int64_t> ready_;  ///< what every saga offers: its oldest row, if that may go
    std::set<std::pair<std::uint64_t, std::int64_t>> awaited_;
    std::size_t in_flight_ = 0, unsent_ = 0;
};

}  // namespace saga::core
