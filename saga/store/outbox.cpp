#include "saga/store/outbox.hpp"

#include <cstdlib>
#include <saga/error.hpp>

#include "saga/store/failpoint.hpp"

namespace saga::store {
namespace {

OutboxRow outbox_row(const Rows& rows) {
    return {.seq = rows.integer(0),
            .id = rows.id(1),
            .saga = rows.integer(2),
            .subject = std::string(rows.text(3)),
            .envelope = rows.bytes(4)};
}

}  // namespace

Outbox::Outbox(const Database& db)
    : insert_(db,
              "INSERT INTO outbox (seq, event_id, saga, subject, envelope, at, stream_seq) "
              "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (event_id) DO NOTHING"),
      find_(db, "SELECT seq FROM outbox WHERE event_id = ?1"),
      settle_(db,
              "UPDATE outbox SET stream_seq = ?2, at = ?3 "
              "WHERE seq = ?1 AND stream_seq IS NULL"),
      unsettle_(db, "UPDATE outbox SET stream_seq = NULL WHERE stream_seq > ?1"),
      after_(db,
             "SELECT seq, event_id, saga, subject, envelope FROM outbox "
             "WHERE stream_seq IS NULL AND seq > ?1 ORDER BY seq LIMIT ?2"),
      visit_(db,
             "SELECT seq FROM outbox WHERE stream_seq IS NULL AND seq > ?1 "
             "AND (subject GLOB 'saga-dlq.*') = ?2 ORDER BY seq"),
      row_(db, "SELECT seq, event_id, saga, subject, envelope FROM outbox WHERE seq = ?1"),
      depth_(db, "SELECT count(*), min(at) FROM outbox WHERE stream_seq IS NULL"),
      last_(db,
            "SELECT max(coalesce((SELECT max(seq) FROM outbox), 0), "
            "coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'outbox'), 0))"),
      list_(db,
            "SELECT seq, event_id, coalesce(id, ''), subject, stream_seq "
            "FROM outbox LEFT JOIN sagas USING (saga) WHERE seq > ?1 ORDER BY seq LIMIT ?2") {
    reload();
}

bool Outbox::insert(const OutboxRow& row, Time at, std::optional<std::uint64_t> settled_at) {
    const bool fresh =
        insert_.exec(next_seq_, row.id, row.saga, row.subject, row.envelope, at, settled_at) > 0;
    if (fresh) ++next_seq_;
    return fresh;
}

void Outbox::reload() {
    Rows rows = last_.query();
    SAGA_ASSERT(rows.next());
    next_seq_ = rows.integer(0) + 1;
}

std::optional<std::int64_t> Outbox::find(const EventId& id) {
    Rows rows = find_.query(id);
    return rows.next() ? std::optional(rows.integer(0)) : std::nullopt;
}

void Outbox::settle(std::int64_t seq, std::uint64_t stream_seq, Time now) {
    settle_.exec(seq, stream_seq, now);
    SAGA_FAILPOINT(settling);
}

std::int64_t Outbox::unsettle_above(std::uint64_t stream_seq) {
    return unsettle_.exec(stream_seq);
}

std::vector<OutboxRow> Outbox::unsettled_after(std::int64_t seq, std::size_t most) {
    std::vector<OutboxRow> found;
    Rows rows = after_.query(seq, most);
    while (rows.next()) found.push_back(outbox_row(rows));
    return found;
}

bool Outbox::visit_unsettled(std::int64_t seq, bool letters,
                             const std::function<bool(std::int64_t)>& visit) {
    Rows rows = visit_.query(seq, letters);
    while (rows.next())
        if (!visit(rows.integer(0))) return true;
    return false;
}

std::optional<OutboxRow> Outbox::row(std::int64_t seq) {
    Rows rows = row_.query(seq);
    return rows.next() ? std::optional(outbox_row(rows)) : std::nullopt;
}

Outbox::Depth Outbox::unsettled() {
    Rows rows = depth_.query();
    SAGA_ASSERT(rows.next());
    Depth depth{.rows = rows.integer(0)};
    if (rows.type(1) != SQLITE_NULL) depth.oldest = rows.time(1);
    return depth;
}

std::vector<Outbox::Seen> Outbox::list(std::int64_t seq, std::size_t most) {
    std::vector<Seen> found;
    Rows rows = list_.query(seq, most);
    while (rows.next()) {
        Seen seen{rows.integer(0), rows.id(1), std::string(rows.text(2)), std::string(rows.text(3)),
                  std::nullopt};
        if (rows.type(4) != SQLITE_NULL)
            seen.stream_seq = static_cast<std::uint64_t>(rows.integer(4));
        found.push_back(std::move(seen));
    }
    return found;
}

Inbox::Inbox(const Database& db)
    : has_(db, "SELECT 1 FROM inbox WHERE saga = ?1 AND event_id = ?2 AND reaction = ?3"),
      insert_(db, "INSERT OR IGNORE INTO inbox VALUES (?1, ?2, ?3, ?4)"),
      read_(db, "SELECT 1 FROM inbox WHERE saga = ?1 AND event = ?2 LIMIT 1") {}

bool Inbox::has(std::int64_t saga, const EventId& event, std::string_view reaction) {
    return has_.query(saga, event, reaction).next();
}

void Inbox::insert(std::int64_t saga, const EventId& event, std::string_view reaction,
                   std::string_view name) {
    insert_.exec(saga, event, reaction, name);
}

bool Inbox::read(std::int64_t saga, std::string_view name) {
    return read_.query(saga, name).next();
}

Commands::Commands(const Database& db)
    : find_(db, "SELECT fingerprint, event_id, event FROM commands WHERE saga = ?1 AND verb = ?2"),
      insert_(db, "INSERT INTO commands VALUES (?1, ?2, ?3, ?4, ?5)"),
      accepted_(db, "SELECT 1 FROM commands WHERE saga = ?1 AND event = ?2 LIMIT 1") {}

std::optional<Commands::Row> Commands::find(std::int64_t saga, std::string_view verb) {
    Rows rows = find_.query(saga, verb);
    if (!rows.next()) return std::nullopt;
    return Row{rows.id(0), rows.id(1), std::string(rows.text(2))};
}

void Commands::insert(std::int64_t saga, std::string_view verb, const Row& row) {
    insert_.exec(saga, verb, row.fingerprint, row.event_id, row.event);
}

bool Commands::accepted(std::int64_t saga, std::string_view event) {
    return accepted_.query(saga, event).next();
}

Recorded::Recorded(const Database& db)
    : insert_(db,
              "INSERT INTO recorded VALUES (?1, ?2, ?3) ON CONFLICT(event_id) DO UPDATE SET "
              "stream_seq = excluded.stream_seq WHERE stream_seq < 0 "
              "AND envelope = excluded.envelope"),
      find_(db, "SELECT stream_seq, envelope FROM recorded WHERE event_id = ?1"),
      erase_(db, "DELETE FROM recorded WHERE event_id = ?1"),
      // Lost: below zero, so that the order in which they stood is known.
      lose_(db, "UPDATE recorded SET stream_seq = -stream_seq WHERE stream_seq > ?1"),
      first_(db,
             "SELECT event_id, stream_seq, envelope FROM recorded "
             "ORDER BY abs(stream_seq) LIMIT 1"),
      each_(db, "SELECT envelope FROM recorded ORDER BY abs(stream_seq)"),
      count_(db, "SELECT count(*) FROM recorded") {}

void Recorded::insert(const EventId& id, const Row& row) {
    insert_.exec(id, row.stream_seq, row.envelope);
}

std::optional<Recorded::Row> Recorded::find(const EventId& id) {
    Rows rows = find_.query(id);
    if (!rows.next()) return std::nullopt;
    return recorded_row(rows, 0);
}

Recorded::Row Recorded::recorded_row(const Rows& rows, int column) {
    const std::int64_t seq = rows.integer(column);
    return {static_cast<std::uint64_t>(std::abs(seq)), rows.bytes(column + 1), seq < 0};
}

void Recorded::lose_above(std::uint64_t stream_seq) {
    lose_.exec(stream_seq);
}

void Recorded::erase(const EventId& id) {
    erase_.exec(id);
}

std::optional<std::pair<EventId, Recorded::Row>> Recorded::first() {
    Rows rows = first_.query();
    if (!rows.next()) return std::nullopt;
    return std::pair{rows.id(0), recorded_row(rows, 1)};
}

void Recorded::each(const std::function<void(Bytes)>& visit) {
    Rows rows = each_.query();
    while (rows.next()) visit(rows.bytes(0));
}

std::int64_t Recorded::count() {
    Rows rows = count_.query();
    return rows.next() ? rows.integer(0) : 0;
}

}  // namespace saga::store
