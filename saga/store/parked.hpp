// What waits for another attempt, or for an operator.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "saga/core/history.hpp"
#include "saga/core/saga.hpp"
#include "saga/store/statement.hpp"

namespace saga::store {

class Parked {
  public:
    struct Event {
        std::vector<std::byte> envelope;  ///< empty: the row is of no event
        std::uint64_t stream_seq = 0;
        core::StoreTime stored_at;
    };
    /// A row as an operator sees it.
    struct Seen {
        std::string saga;
        core::ParkedRow row;
        std::optional<Time> next_at;
        std::string reason;
        std::string type;  ///< of its event, if it has one
    };
    explicit Parked(const Database& db);

    /// Almost no saga has a parked row: those that have are kept in memory.
    bool any(std::int64_t saga) const { return sagas_.contains(saga); }
    void load(std::int64_t saga, std::vector<core::ParkedRow>& rows);
    /// Sets the row's position.
    void insert(std::int64_t saga, core::ParkedRow& row, const core::Message* event,
                std::string_view reason, std::optional<Time> next_at);
    /// An empty reason leaves the one that stands.
    void update(const core::ParkedRow& row, std::string_view reason, std::optional<Time> next_at);
    void erase(std::int64_t saga, const core::ParkedRow& row);
    Event event(std::int64_t position);
    /// With the key of its saga; 0: there is no such row.
    std::pair<std::int64_t, core::ParkedRow> find(std::int64_t position);

    std::optional<Time> next_due();
    /// (saga, position), soonest first.
    std::vector<std::pair<std::int64_t, std::int64_t>> due(Time now, std::size_t most);
    /// The one that waits for a lock looks again; what others release uses up none of its attempts.
    void wake_locked(std::int64_t position, Time now);
    /// While catching up it waited for its record; now it is a matter for an operator.
    std::vector<std::pair<std::int64_t, std::int64_t>> unlike();
    /// Those behind `after`, in order; of one saga where one is named.
    struct Page {
        bool dead_only = false;
        std::int64_t saga = 0, after = 0;
    };
    std::vector<Seen> list(const Page& page, std::size_t most);
    std::optional<Seen> seen(std::int64_t position);
    std::int64_t count(bool dead_only);
    /// After a rollback.
    void reload();

  private:
    static Seen seen_row(const Rows& rows);
    Statement load_, insert_, update_, erase_, event_, next_due_, due_, wake_, unlike_, list_,
        seen_, count_, rest_, sagas_of_, find_;
    std::set<std::int64_t> sagas_;
};

/// Dead letters that block no saga: junk, second triggers, stale events.
class Aside {
  public:
    struct Row {
        std::int64_t position = 0;
        EventId event_id;
        std::string saga_id, step, reason, subject;
        std::vector<std::byte> message;
        std::uint64_t stream_seq = 0;
        core::StoreTime stored_at;
    };
    explicit Aside(const Database& db);
    /// Beyond kMaxAside the oldest go.
    void insert(const Row& row, Time now);
    /// Those behind `after`, in order, without their messages; of one saga where one is named.
    std::vector<Row> list(std::int64_t after, std::string_view saga_id, std::size_t most);
    std::optional<Row> find(std::int64_t position);
    void erase(std::int64_t position);
    std::int64_t count() const { return rows_; }
    void reload();  ///< After a rollback.

  private:
    Statement insert_, trim_, list_, find_, erase_, count_;
    std::int64_t rows_ = 0;
};

}  // namespace saga::store
