#include "saga/store/pending.hpp"

#include "saga/store/database.hpp"

namespace saga::store {

Timers::Timers(const Database& db)
    : insert_(db, "INSERT OR IGNORE INTO timers VALUES (?1, ?2, ?3, ?4, ?5)"),
      erase_(db, "DELETE FROM timers WHERE saga = ?1 AND step = ?2 AND run = ?3 AND nth = ?4"),
      erase_all_(db, "DELETE FROM timers WHERE saga = ?1"),
      next_due_(db, "SELECT min(due) FROM timers"),
      due_(db,
           "SELECT saga, step, run, nth FROM timers WHERE due <= ?1 ORDER BY due, saga LIMIT ?2"),
      of_(db, "SELECT saga, step, run, nth FROM timers WHERE saga = ?1"),
      count_(db, "SELECT count(*) FROM timers") {}

Timers::Row Timers::timer_row(const Rows& rows) {
    return {rows.integer(0), std::string(rows.text(1)), rows.id(2),
            static_cast<std::uint32_t>(rows.integer(3))};
}

void Timers::insert(const Row& row, Time due) {
    insert_.exec(row.saga, row.step, run_key(row.run), row.nth, due);
}
void Timers::erase(const Row& row) {
    erase_.exec(row.saga, row.step, run_key(row.run), row.nth);
}
void Timers::erase_all(std::int64_t saga) {
    erase_all_.exec(saga);
}
std::optional<Time> Timers::next_due() {
    return time_or_none(next_due_);
}

std::vector<Timers::Row> Timers::due(Time now, std::size_t most) {
    std::vector<Row> found;
    Rows rows = due_.query(now, most);
    while (rows.next()) found.push_back(timer_row(rows));
    return found;
}

std::vector<Timers::Row> Timers::of(std::int64_t saga) {
    std::vector<Row> found;
    Rows rows = of_.query(saga);
    while (rows.next()) found.push_back(timer_row(rows));
    return found;
}

std::int64_t Timers::count() {
    return number(count_);
}

Calls::Calls(const Database& db)
    : insert_(db,
              "INSERT INTO calls (saga, step, run, part, question, attempts, next_at, reason) "
              "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, '')"),
      by_work_(db,
               "SELECT call, saga, step, run, part, question, attempts FROM calls "
               "WHERE saga = ?1 AND step = ?2 AND run = ?3 AND part = ?4"),
      by_call_(db,
               "SELECT call, saga, step, run, part, question, attempts FROM calls WHERE call = ?1"),
      update_(db, "UPDATE calls SET attempts = ?2, next_at = ?3, reason = ?4 WHERE call = ?1"),
      erase_(db, "DELETE FROM calls WHERE call = ?1"),
      erase_by_work_(db,
                     "DELETE FROM calls WHERE saga = ?1 AND step = ?2 AND run = ?3 AND part = ?4"),
      next_due_(db, "SELECT min(next_at) FROM calls WHERE next_at IS NOT NULL"),
      due_(db,
           "SELECT call FROM calls "
           "WHERE next_at IS NOT NULL AND next_at <= ?1 ORDER BY next_at, call LIMIT ?2"),
      of_(db,
          "SELECT call, saga, step, run, part, x'', attempts, next_at, reason FROM calls "
          "WHERE saga = ?1 ORDER BY call"),
      count_(db, "SELECT count(*) FROM calls") {}

Calls::Row Calls::call_row(const Rows& rows) {
    return {.call = rows.integer(0),
            .saga = rows.integer(1),
            .step = std::string(rows.text(2)),
            .run = rows.id(3),
            .part = static_cast<core::Part>(rows.integer(4)),
            .question = rows.bytes(5),
            .attempts = static_cast<int>(rows.integer(6))};
}

std::int64_t Calls::insert(const Row& row, Time next_at) {
    return insert_.insert(row.saga, row.step, run_key(row.run), row.part, row.question,
                          row.attempts, next_at);
}

std::optional<Calls::Row> Calls::find(std::int64_t saga, std::string_view step, const EventId& run,
                                      core::Part part) {
    Rows rows = by_work_.query(saga, step, run_key(run), part);
    return rows.next() ? std::optional(call_row(rows)) : std::nullopt;
}

std::optional<Calls::Row> Calls::find(std::int64_t call) {
    Rows rows = by_call_.query(call);
    return rows.next() ? std::optional(call_row(rows)) : std::nullopt;
}

void Calls::update(std::int64_t call, int attempts, std::optional<Time> next_at,
                   std::string_view reason) {
    update_.exec(call, attempts, next_at, reason);
}

void Calls::erase(std::int64_t call) {
    erase_.exec(call);
}
void Calls::erase(std::int64_t saga, std::string_view step, const EventId& run, core::Part part) {
    erase_by_work_.exec(saga, step, run_key(run), part);
}
std::optional<Time> Calls::next_due() {
    return time_or_none(next_due_);
}

std::vector<std::int64_t> Calls::due(Time now, std::size_t most) {
    std::vector<std::int64_t> found;
    Rows rows = due_.query(now, most);
    while (rows.next()) found.push_back(rows.integer(0));
    return found;
}

std::vector<Calls::Seen> Calls::of(std::int64_t saga) {
    std::vector<Seen> found;
    Rows rows = of_.query(saga);
    while (rows.next()) {
        Seen seen{.row = call_row(rows), .next_at = {}, .reason = std::string(rows.text(8))};
        if (rows.type(7) != SQLITE_NULL) seen.next_at = rows.time(7);
        found.push_back(std::move(seen));
    }
    return found;
}

std::int64_t Calls::count() {
    return number(count_);
}

Locks::Locks(const Database& db)
    : holder_(db, "SELECT saga FROM locks WHERE entity = ?1"),
      holds_any_(db, "SELECT 1 FROM locks WHERE saga = ?1 LIMIT 1"),
      waits_for_(db,
                 "WITH RECURSIVE waits(saga) AS (SELECT ?1 UNION SELECT locks.saga FROM waits "
                 "JOIN lock_queue USING (saga) JOIN locks USING (entity)) "
                 "SELECT 1 FROM waits WHERE saga = ?2 AND ?1 <> ?2"),
      take_(db, "INSERT OR IGNORE INTO locks VALUES (?1, ?2)"),
      release_(db, "DELETE FROM locks WHERE saga = ?1 RETURNING entity"),
      first_(db,
             "SELECT position, saga FROM lock_queue WHERE entity = ?1 ORDER BY position LIMIT 1"),
      first_of_(db,
                "SELECT min(position) FROM lock_queue WHERE saga = ?2 AND entity = ?1 "
                "HAVING count(*) > 0"),
      queue_(db, "INSERT INTO lock_queue VALUES (?1, ?2, ?3)"),
      leave_(db, "DELETE FROM lock_queue WHERE position = ?1 RETURNING entity"),
      count_(db, "SELECT count(*) FROM locks"),
      count_waiting_(db, "SELECT count(*) FROM lock_queue") {
    reload();
}

std::int64_t Locks::holder(std::string_view entity) {
    Rows rows = holder_.query(entity);
    return rows.next() ? rows.integer(0) : 0;
}

Locks::Before Locks::before(std::string_view entity, std::int64_t saga) {
    if (const std::int64_t by = holder(entity); by != 0) return {by == saga ? 0 : by, true};
    if (waiting_ == 0) return {};
    Rows rows = first_.query(entity);
    if (!rows.next() || rows.integer(1) == saga || holds_any_.query(saga).next()) return {};
    return {rows.integer(1), false};
}

bool Locks::waits_for(std::int64_t who, std::int64_t saga) {
    return waits_for_.query(who, saga).next();
}

void Locks::take(std::string_view entity, std::int64_t saga) {
    held_ += take_.exec(entity, saga);
}

std::vector<std::string> Locks::release(std::int64_t saga) {
    std::vector<std::string> released;
    Rows rows = release_.query(saga);
    while (rows.next()) released.emplace_back(rows.text(0));
    held_ -= std::ssize(released);
    return released;
}

void Locks::queue(std::int64_t position, std::int64_t saga, std::span<const std::string> entities) {
    for (const std::string& entity : entities) waiting_ += queue_.exec(entity, position, saga);
}

std::vector<std::string> Locks::leave(std::int64_t position) {
    std::vector<std::string> left;
    if (waiting_ == 0) return left;
    Rows rows = leave_.query(position);
    while (rows.next()) left.emplace_back(rows.text(0));
    waiting_ -= std::ssize(left);
    return left;
}

std::int64_t Locks::next(std::string_view entity) {
    const std::int64_t by = holder(entity);
    Rows rows = by == 0 ? first_.query(entity) : first_of_.query(entity, by);
    return rows.next() ? rows.integer(0) : 0;
}

void Locks::reload() {
    held_ = number(count_);
    waiting_ = number(count_waiting_);
}

}  // namespace saga::store
