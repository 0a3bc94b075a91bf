// Events committed with the state that caused them, kept after publishing; and what is read once.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "saga/store/statement.hpp"

namespace saga::store {

struct OutboxRow {
    std::int64_t seq = 0;
    EventId id;
    std::int64_t saga = 0;
    std::string subject;
    std::vector<std::byte> envelope;
};

class Outbox {
  public:
    explicit Outbox(const Database& db);

    /// The seq that the next insert will get: it stands in the envelope.
    std::int64_t next_seq() const { return next_seq_; }
    /// `settled_at`: it stands in the stream already, at that sequence.
    /// False: the same work has published it before, and it stands as it was.
    bool insert(const OutboxRow& row, Time at, std::optional<std::uint64_t> settled_at);
    /// After a rollback: seqs that were never committed are given again.
    void reload();

    std::optional<std::int64_t> find(const EventId& id);
    void settle(std::int64_t seq, std::uint64_t stream_seq, Time now);
    /// What was read back above `stream_seq` may be gone. How many.
    std::int64_t unsettle_above(std::uint64_t stream_seq);

    /// Unsettled rows after `seq`, oldest first, at most `most`.
    std::vector<OutboxRow> unsettled_after(std::int64_t seq, std::size_t most);
    /// Calls visit(seq) for unsettled rows after `seq`, dead letters or events, oldest first, until
    /// it returns false. Whether it has.
    bool visit_unsettled(std::int64_t seq, bool letters,
                         const std::function<bool(std::int64_t)>& visit);
    std::optional<OutboxRow> row(std::int64_t seq);

    struct Depth {
        std::int64_t rows = 0;
        std::optional<Time> oldest;
    };
    Depth unsettled();

    /// A row as an operator sees it.
    struct Seen {
        std::int64_t seq = 0;
        EventId id;
        std::string saga, subject;
        std::optional<std::uint64_t> stream_seq;  ///< none: not read back
    };
    /// Rows after `seq`, settled or not, oldest first, at most `most`.
    std::vector<Seen> list(std::int64_t seq, std::size_t most);

  private:
    Statement insert_, find_, settle_, unsettle_, after_, visit_, row_, depth_, last_, list_;
    std::int64_t next_seq_ = 1;
};

/// Events that a reaction applied, or a timer awaited.
class Inbox {
  public:
    explicit Inbox(const Database& db);
    bool has(std::int64_t saga, const EventId& event, std::string_view reaction);
    void insert(std::int64_t saga, const EventId& event, std::string_view reaction,
                std::string_view name);
    bool read(std::int64_t saga, std::string_view name);

  private:
    Statement has_, insert_, read_;
};

/// A command's memory.
class Commands {
  public:
    struct Row {
        EventId fingerprint, event_id;
        std::string event;
    };
    explicit Commands(const Database& db);
    std::optional<Row> find(std::int64_t saga, std::string_view verb);
    void insert(std::int64_t saga, std::string_view verb, const Row& row);
    bool accepted(std::int64_t saga, std::string_view event);

  private:
    Statement find_, insert_, accepted_;
};

/// While catching up: what this service once published, in the order of the stream.
class Recorded {
  public:
    struct Row {
        std::uint64_t stream_seq = 0;
        std::vector<std::byte> envelope;
        bool lost = false;  ///< by the broker: it stood there

        /// Where it stands in the stream, if it does.
        std::optional<std::uint64_t> stands() const {
            return lost ? std::nullopt : std::optional(stream_seq);
        }
    };
    explicit Recorded(const Database& db);
    /// The first of an id counts: other bytes under it are another's, who has read the id. Once
    /// lost, it stands again where the same bytes do.
    void insert(const EventId& id, const Row& row);
    std::optional<Row> find(const EventId& id);
    void erase(const EventId& id);
    /// What stood above `stream_seq` may be gone.
    void lose_above(std::uint64_t stream_seq);
    std::optional<std::pair<EventId, Row>> first();
    /// Calls visit(envelope) for each, in the order of the stream.
    void each(const std::function<void(Bytes)>& visit);
    std::int64_t count();

  private:
    static Row recorded_row(const Rows& rows, int column);
    Statement insert_, find_, erase_, lose_, first_, each_, count_;
};

}  // namespace saga::store
