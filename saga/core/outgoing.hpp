// Which outbox row is sent next, and which one again. Pure: the relay sends, the worker reads back.
//
// A PubAck is a hint for pace. A row leaves here only when its event was read back from the stream;
// when the reader has passed the place that the broker named without having read it, it is sent
// again. Of one saga one event at a time is on its way, so that an error in the middle cannot turn
// two events around.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "saga/core/awaited.hpp"

namespace saga::core {

class Outgoing {
  public:
    struct Message {
        std::string subject;
        std::vector<std::byte> envelope;
    };
    struct Row {
        std::int64_t seq = 0;   ///< in the outbox
        std::int64_t saga = 0;  ///< its key here; 0: of no saga, ordered behind nothing
        Message message{};      ///< kept until it has its PubAck, or was read back
    };

    /// A committed row that was not read back yet; `seq` is above all that were added before, or
    /// the row was here before and left.
    void add(Row row);

    /// A new connection: its PubAcks are the only ones that count from here on. Rows that an
    /// earlier one acknowledged wait until the reader has passed `head`, the stream's last sequence
    /// now, before they are sent again; later rows of their sagas wait with them.
    void connected(std::uint64_t head);

    /// The oldest row that may go, which is on its way from here on; none: nothing to send.
    std::optional<std::int64_t> next();
    /// What a row without PubAck says. Its envelope is empty where it had one and was lost: then it
    /// is to be put there again.
    const Message& message(std::int64_t seq) const { return rows_.at(seq).message; }
    void put(std::int64_t seq, Message message);

    /// The broker stored row `seq` at `stream_seq`, or says that it had. False: the row is unknown
    /// or not on its way, and so it is nobody's business.
    bool acked(std::int64_t seq, std::uint64_t stream_seq);

    /// An error or a timeout: whatever has no PubAck is sent again, oldest first.
    void restart();

    /// Its event was read back from the stream, or nobody will read it back: the row leaves.
    void settled(std::int64_t seq);

    /// Its event was seen in the stream at `stream_seq`, where the reader will meet it.
    void stands(std::int64_t seq, std::uint64_t stream_seq);

    struct Lost {
        std::size_t rows = 0;
        /// They and what waited to be sent have left: rows from this one on are to be added again.
        std::optional<std::int64_t> again_from;
    };
    /// The reader has handled everything up to `cursor`: rows that should have been among it were
    /// lost, and go again. Where more than `most` would have no PubAck then, they leave.
    Lost passed(std::uint64_t cursor, std::size_t most);
    /// Whether there are such rows.
    bool overdue(std::uint64_t cursor) const { return awaited_.overdue(cursor).has_value(); }

    /// Forgets everything: after a rewind the rows come anew from the database.
    void clear();

    /// Whether the row is here, with a PubAck or without.
    bool has(std::int64_t seq) const { return rows_.contains(seq) || awaited_.has(seq); }
    /// Rows without a PubAck, and bytes of their envelopes.
    std::size_t unacknowledged() const { return rows_.size(); }
    std::size_t bytes() const { return bytes_; }
    std::size_t in_flight() const { return in_flight_; }
    std::size_t unsettled() const { return rows_.size() + awaited_.size(); }
    /// Rows that are neither on their way nor acknowledged.
    std::size_t unsent() const { return rows_.size() - in_flight_; }

  private:
    struct Entry {
        std::int64_t saga = 0;
        Message message;
        bool flying = false;
    };
    struct Queue {  // of one saga: what has no PubAck
        std::set<std::int64_t> waiting;
        std::int64_t flying = 0, offered = 0;
    };
    using Rows = std::map<std::int64_t, Entry>;

    void wait(std::int64_t seq, const Entry& entry);
    void leave(Rows::iterator at);
    void offer(std::int64_t saga);

    Rows rows_;        // what has no PubAck
    Awaited awaited_;  // what has one
    std::map<std::int64_t, Queue> queues_;
    std::set<std::int64_t> ready_;  ///< what every saga offers: its oldest row, if that may go
    std::size_t in_flight_ = 0, bytes_ = 0;
};

}  // namespace saga::core
