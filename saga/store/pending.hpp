// What waits for a deadline, an answer, another saga.
#pragma once

#include <optional>
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
    std::optional<Time> next_due();
    std::vector<Row> due(Time now, std::size_t most);
    std::vector<Seen> of(std::int64_t saga);
    std::int64_t count();

  private:
    static Row call_row(const Rows& rows);
    Statement insert_, by_work_, by_call_, update_, erase_, next_due_, due_, of_, count_;
};

class Locks {
  public:
    explicit Locks(const Database& db);
    /// Whether nobody holds one: then nothing need be asked for.
    bool none() const { return held_ == 0; }
    /// The key of another saga that holds the entity, or 0.
    std::int64_t other_holder(std::string_view entity, std::int64_t saga);
    void take(std::string_view entity, std::int64_t saga);
    /// How many it held.
    std::int64_t release(std::int64_t saga);
    void reload();

  private:
    Statement holder_, take_, release_, count_;
    std::int64_t held_ = 0;
};

}  // namespace saga::store
