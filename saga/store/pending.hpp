// What waits for a deadline, an answer, another saga.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "saga/core/saga.hpp"
#include "saga/store/statement.hpp"

namespace saga::store {

class Timers {
  public:
    struct Row {
        std::int64_t saga = 0;
        std::string step;
        EventId run;
        std::uint32_t nth = 0;
        bool operator==(const Row&) const = default;
    };
    explicit Timers(const Database& db);
    void insert(const Row& row, Time due);
    void erase(const Row& row);
    void erase_all(std::int64_t saga);
    std::optional<Time> next_due();
    std::vector<Row> due(Time now, std::size_t most);
    std::vector<Row> of(std::int64_t saga);
    std::int64_t count();

  private:
    static Row timer_row(const Rows& rows);
    Statement insert_, erase_, erase_all_, next_due_, due_, of_, count_;
};

class Calls {
  public:
    struct Row {
        std::int64_t call = 0, saga = 0;
        std::string step;
        EventId run;
        core::Part part = core::Part::step;
        std::vector<std::byte> question;
        int attempts = 0;
    };
    /// As an operator sees it.
    struct Seen {
        Row row;
        std::optional<Time> next_at;  ///< empty: it is dead
        std::string reason;
    };
    explicit Calls(const Database& db);
    std::int64_t insert(const Row& row, Time next_at);
    std::optional<Row> find(std::int64_t saga, std::string_view step, const EventId& run,
                            core::Part part);
    std::optional<Row> find(std::int64_t call);
    /// `next_at` empty: it is dead.
    void update(std::int64_t call, int attempts, std::optional<Time> next_at,
                std::string_view reason);
    void erase(std::int64_t call);
    void erase(std::int64_t saga, std::string_view step, const EventId& run, core::Part part);
    std::optional<Time> next_due();
    /// In the order in which they fell due.
    std::vector<std::int64_t> due(Time now, std::size_t most);
    std::vector<Seen> of(std::int64_t saga);
    std::int64_t count();

  private:
    static Row call_row(const Rows& rows);
    Statement insert_, by_work_, by_call_, update_, erase_, erase_by_work_, next_due_, due_, of_,
        count_;
};

/// What sagas hold, and the parked rows that wait for it, each entity's in their order.
class Locks {
  public:
    /// Another saga; 0: none.
    struct Before {
        std::int64_t saga = 0;
        bool holds = false;  ///< false: it waits
    };
    explicit Locks(const Database& db);
    /// Whether nobody holds one: then nothing need be asked for.
    bool none() const { return held_ == 0; }
    /// How many wait, counted for each entity.
    std::int64_t waiting() const { return waiting_; }

    /// Who keeps the saga from the entity: who holds it or, unless the saga holds something
    /// already, who waits for it and asked first.
    Before before(std::string_view entity, std::int64_t saga);
    /// Whether `who` waits for something that `saga` holds, or for others that do.
    bool waits_for(std::int64_t who, std::int64_t saga);
    void take(std::string_view entity, std::int64_t saga);
    /// What it held.
    std::vector<std::string> release(std::int64_t saga);

    /// The parked row waits for these, and for nothing else.
    void queue(std::int64_t position, std::int64_t saga, std::span<const std::string> entities);
    /// What the parked row waited for.
    std::vector<std::string> leave(std::int64_t position);
    /// The parked row whose turn it is; 0: the entity is held by a saga that waits for it nowhere.
    std::int64_t next(std::string_view entity);
    void reload();

  private:
    std::int64_t holder(std::string_view entity);
    Statement holder_, holds_any_, waits_for_, take_, release_, first_, first_of_, queue_, leave_,
        count_, count_waiting_;
    std::int64_t held_ = 0, waiting_ = 0;
};

}  // namespace saga::store
