#include "saga/store/parked.hpp"

#include "saga/core/limits.hpp"
#include "saga/store/database.hpp"

namespace saga::store {
namespace {

const std::string kColumns =
    "SELECT position, place, what, step, nth, run, event_id, forward, state, attempts";

const std::string kSeen =
    kColumns +
    ", (SELECT id FROM sagas WHERE sagas.saga = parked.saga), next_at, reason, event "
    "FROM parked";

core::ParkedRow parked_row(const Rows& rows) {
    return {.position = rows.integer(0),
            .place = static_cast<std::uint32_t>(rows.integer(1)),
            .what = static_cast<core::Waits>(rows.integer(2)),
            .step = std::string(rows.text(3)),
            .nth = static_cast<std::uint32_t>(rows.integer(4)),
            .run = rows.id(5),
            .event = rows.id(6),
            .forward = rows.integer(7) != 0,
            .state = static_cast<core::Parking>(rows.integer(8)),
            .attempts = static_cast<int>(rows.integer(9))};
}

}  // namespace

Parked::Parked(const Database& db)
    : load_(db, kColumns + " FROM parked WHERE saga = ?1 ORDER BY position"),
      insert_(db,
              "INSERT INTO parked (saga, place, what, step, nth, run, event_id, forward, state, "
              "attempts, next_at, reason, event, stream_seq, stored_at) "
              "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)"),
      update_(db,
              "UPDATE parked SET what = ?2, step = ?3, state = ?4, attempts = ?5, next_at = ?6, "
              "reason = CASE ?7 WHEN '' THEN reason ELSE ?7 END WHERE position = ?1"),
      erase_(db, "DELETE FROM parked WHERE position = ?1"),
      event_(db, "SELECT event, stream_seq, stored_at FROM parked WHERE position = ?1"),
      next_due_(db, "SELECT min(next_at) FROM parked WHERE next_at IS NOT NULL"),
      due_(db,
           "SELECT saga, position FROM parked WHERE next_at IS NOT NULL AND next_at <= ?1 "
           "ORDER BY next_at, position LIMIT ?2"),
      wake_(db,
            "UPDATE parked SET next_at = ?2, attempts = max(attempts - 1, 0) "
            "WHERE position = ?1 AND state = 3 AND next_at > ?2"),
      unlike_(db, "SELECT saga, position FROM parked WHERE state = 4 ORDER BY position"),
      list_(db, kSeen +
                    " WHERE position > ?1 AND (?2 = 0 OR state = 6) AND (?3 = 0 OR saga = ?3) "
                    "ORDER BY position LIMIT ?4"),
      seen_(db, kSeen + " WHERE position = ?1"),
      count_(db, "SELECT count(*) FROM parked WHERE ?1 = 0 OR state = 6"),
      rest_(db, "SELECT 1 FROM parked WHERE saga = ?1 LIMIT 1"),
      sagas_of_(db, "SELECT DISTINCT saga FROM parked"),
      find_(db, kColumns + ", saga FROM parked WHERE position = ?1") {
    reload();
}

void Parked::load(std::int64_t saga, std::vector<core::ParkedRow>& found) {
    Rows rows = load_.query(saga);
    while (rows.next()) found.push_back(parked_row(rows));
}

void Parked::insert(std::int64_t saga, core::ParkedRow& row, const core::Message* event,
                    std::string_view reason, std::optional<Time> next_at) {
    const std::optional<Bytes> envelope = event ? std::optional(event->bytes()) : std::nullopt;
    row.position = insert_.insert(saga, row.place, row.what, row.step, row.nth, run_key(row.run),
                                  row.event, row.forward, row.state, row.attempts, next_at, reason,
                                  envelope, event ? event->seq() : 0,
                                  event ? event->stored_at().time_since_epoch().count() : 0);
    sagas_.insert(saga);
}

void Parked::update(const core::ParkedRow& row, std::string_view reason,
                    std::optional<Time> next_at) {
    update_.exec(row.position, row.what, row.step, row.state, row.attempts, next_at, reason);
}

void Parked::erase(std::int64_t saga, const core::ParkedRow& row) {
    erase_.exec(row.position);
    if (!rest_.query(saga).next()) sagas_.erase(saga);
}

Parked::Event Parked::event(std::int64_t position) {
    Rows rows = event_.query(position);
    if (!rows.next()) return {};
    return {rows.bytes(0), static_cast<std::uint64_t>(rows.integer(1)),
            core::StoreTime(std::chrono::nanoseconds(rows.integer(2)))};
}

std::pair<std::int64_t, core::ParkedRow> Parked::find(std::int64_t position) {
    Rows rows = find_.query(position);
    if (!rows.next()) return {};
    return {rows.integer(10), parked_row(rows)};
}

std::optional<Time> Parked::next_due() {
    return time_or_none(next_due_);
}

std::vector<std::pair<std::int64_t, std::int64_t>> Parked::due(Time now, std::size_t most) {
    std::vector<std::pair<std::int64_t, std::int64_t>> found;
    Rows rows = due_.query(now, most);
    while (rows.next()) found.emplace_back(rows.integer(0), rows.integer(1));
    return found;
}

void Parked::wake_locked(std::int64_t position, Time now) {
    wake_.exec(position, now);
}

std::vector<std::pair<std::int64_t, std::int64_t>> Parked::unlike() {
    std::vector<std::pair<std::int64_t, std::int64_t>> found;
    Rows rows = unlike_.query();
    while (rows.next()) found.emplace_back(rows.integer(0), rows.integer(1));
    return found;
}

Parked::Seen Parked::seen_row(const Rows& rows) {
    Seen seen{.saga = std::string(rows.text(10)),
              .row = parked_row(rows),
              .reason = std::string(rows.text(12))};
    if (rows.type(11) != SQLITE_NULL) seen.next_at = rows.time(11);
    const std::vector<std::byte> bytes = rows.bytes(13);
    const auto read = core::decode(bytes);
    if (const auto* envelope = std::get_if<core::Envelope>(&read)) seen.type = envelope->type;
    return seen;
}

std::vector<Parked::Seen> Parked::list(const Page& page, std::size_t most) {
    std::vector<Seen> found;
    Rows rows = list_.query(page.after, page.dead_only, page.saga, most);
    while (rows.next()) found.push_back(seen_row(rows));
    return found;
}

std::optional<Parked::Seen> Parked::seen(std::int64_t position) {
    Rows rows = seen_.query(position);
    return rows.next() ? std::optional(seen_row(rows)) : std::nullopt;
}

std::int64_t Parked::count(bool dead_only) {
    Rows rows = count_.query(dead_only);
    return rows.next() ? rows.integer(0) : 0;
}

void Parked::reload() {
    sagas_.clear();
    Rows rows = sagas_of_.query();
    while (rows.next()) sagas_.insert(rows.integer(0));
}

Aside::Aside(const Database& db)
    : insert_(db,
              "INSERT INTO aside (event_id, saga_id, step, reason, subject, message, stream_seq, "
              "stored_at, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"),
      trim_(db,
            "DELETE FROM aside WHERE position IN "
            "(SELECT position FROM aside ORDER BY position LIMIT ?1)"),
      list_(db,
            "SELECT position, event_id, saga_id, step, reason, subject, x'', stream_seq, "
            "stored_at FROM aside WHERE position > ?1 AND (?2 = '' OR saga_id = ?2) "
            "ORDER BY position LIMIT ?3"),
      find_(db,
            "SELECT position, event_id, saga_id, step, reason, subject, message, stream_seq, "
            "stored_at FROM aside WHERE position = ?1"),
      erase_(db, "DELETE FROM aside WHERE position = ?1"),
      count_(db, "SELECT count(*) FROM aside") {
    reload();
}

void Aside::insert(const Row& row, Time now) {
    insert_.exec(row.event_id, row.saga_id, row.step, row.reason, row.subject, row.message,
                 row.stream_seq, row.stored_at.time_since_epoch().count(), now);
    // By their number: a move of sagas leaves gaps between the positions.
    if (++rows_ > core::kMaxAside) rows_ -= trim_.exec(rows_ - core::kMaxAside);
}

namespace {
Aside::Row aside_row(const Rows& rows) {
    return {.position = rows.integer(0),
            .event_id = rows.id(1),
            .saga_id = std::string(rows.text(2)),
            .step = std::string(rows.text(3)),
            .reason = std::string(rows.text(4)),
            .subject = std::string(rows.text(5)),
            .message = rows.bytes(6),
            .stream_seq = static_cast<std::uint64_t>(rows.integer(7)),
            .stored_at = core::StoreTime(std::chrono::nanoseconds(rows.integer(8)))};
}
}  // namespace

std::vector<Aside::Row> Aside::list(std::int64_t after, std::string_view saga_id,
                                    std::size_t most) {
    std::vector<Row> found;
    Rows rows = list_.query(after, saga_id, most);
    while (rows.next()) found.push_back(aside_row(rows));
    return found;
}

std::optional<Aside::Row> Aside::find(std::int64_t position) {
    Rows rows = find_.query(position);
    return rows.next() ? std::optional(aside_row(rows)) : std::nullopt;
}

void Aside::erase(std::int64_t position) {
    rows_ -= erase_.exec(position);
}

void Aside::reload() {
    rows_ = number(count_);
}

}  // namespace saga::store
