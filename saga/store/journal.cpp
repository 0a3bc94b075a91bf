#include "saga/store/journal.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "saga/core/limits.hpp"

namespace saga::store {
namespace {

std::vector<std::string> words(std::string_view text) {
    std::vector<std::string> list;
    while (!text.empty()) {
        const auto space = text.find(' ');
        list.emplace_back(text.substr(0, space));
        text = space == std::string_view::npos ? std::string_view{} : text.substr(space + 1);
    }
    return list;
}

core::SagaRow saga_row(const Rows& rows) {
    return {.key = rows.integer(0),
            .id = std::string(rows.text(1)),
            .started = rows.time(2),
            .failures = words(rows.text(3)),
            .ended_by = std::string(rows.text(4))};
}

core::StepRow step_row(const Rows& rows) {
    return {.step = std::string(rows.text(0)),
            .run = rows.id(1),
            .event = rows.id(2),
            .state = static_cast<core::StepState>(rows.integer(3)),
            .nth = static_cast<std::uint32_t>(rows.integer(4)),
            .forward = rows.integer(5) != 0,
            .kept = rows.integer(6) != 0};
}

}  // namespace

Sagas::Sagas(const Database& db)
    : by_id_(db, "SELECT saga, id, started, failed_by, ended_by FROM sagas WHERE id = ?1"),
      by_key_(db, "SELECT saga, id, started, failed_by, ended_by FROM sagas WHERE saga = ?1"),
      insert_(db,
              "INSERT INTO sagas (id, started, failed_by, ended_by, touched) "
              "VALUES (?1, ?2, ?3, ?4, ?5)"),
      mark_(db, "UPDATE sagas SET failed_by = ?2, ended_by = ?3, touched = ?4 WHERE saga = ?1"),
      touch_(db, "UPDATE sagas SET touched = ?2 WHERE saga = ?1 AND touched < ?3") {}

core::SagaRow Sagas::find(std::string_view id) {
    Rows rows = by_id_.query(id);
    return rows.next() ? saga_row(rows) : core::SagaRow{.id = std::string(id)};
}

core::SagaRow Sagas::find(std::int64_t key) {
    Rows rows = by_key_.query(key);
    return rows.next() ? saga_row(rows) : core::SagaRow{};
}

void Sagas::insert(core::SagaRow& row, Time now) {
    const std::string failed_by = fmt::format("{}", fmt::join(row.failures, " "));
    row.key = insert_.insert(row.id, row.started, failed_by, row.ended_by, now);
}

void Sagas::mark(const core::SagaRow& row, Time now) {
    const std::string failed_by = fmt::format("{}", fmt::join(row.failures, " "));
    mark_.exec(row.key, failed_by, row.ended_by, now);
}

void Sagas::touch(std::int64_t key, Time now) {
    touch_.exec(key, now, Time::max());
}

void Sagas::heard(std::int64_t key, Time now) {
    touch_.exec(key, now, now - core::kClockSkew);
}

Journal::Journal(const Database& db)
    : load_(db,
            "SELECT step, run, event_id, state, nth, forward, result IS NOT NULL FROM journal "
            "WHERE saga = ?1"),
      put_(db,
           "INSERT INTO journal (saga, step, run, event_id, state, nth, forward, outcome) "
           "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, '') "
           "ON CONFLICT DO UPDATE SET state = ?5, nth = ?6"),
      put_ran_(db,
               "INSERT INTO journal (saga, step, run, event_id, state, nth, forward, outcome, "
               "result) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) "
               "ON CONFLICT DO UPDATE SET state = ?5, nth = ?6, "
               "outcome = trim(outcome || ' ' || ?8), result = coalesce(?9, result)"),
      kept_(db, "SELECT outcome, result FROM journal WHERE saga = ?1 AND step = ?2 AND run = ?3"),
      published_(db,
                 "SELECT 1 FROM journal WHERE saga = ?1 "
                 "AND instr(' ' || outcome || ' ', ' ' || ?2 || ' ') LIMIT 1") {}

void Journal::load(std::int64_t saga, std::vector<core::StepRow>& steps) {
    Rows rows = load_.query(saga);
    while (rows.next()) steps.push_back(step_row(rows));
}

void Journal::put(std::int64_t saga, const core::StepRow& row) {
    put_.exec(saga, row.step, run_key(row.run), row.event, row.state, row.nth, row.forward);
}

void Journal::put_ran(std::int64_t saga, const core::StepRow& row, std::string_view outcome,
                      std::optional<Bytes> result) {
    put_ran_.exec(saga, row.step, run_key(row.run), row.event, row.state, row.nth, row.forward,
                  outcome, result);
}

std::pair<std::string, std::vector<std::byte>> Journal::kept(std::int64_t saga,
                                                             const core::StepRow& row) {
    Rows rows = kept_.query(saga, row.step, run_key(row.run));
    if (!rows.next()) return {};
    return {std::string(rows.text(0)), rows.bytes(1)};
}

bool Journal::published(std::int64_t saga, std::string_view event) {
    return published_.query(saga, event).next();
}

Arrived::Arrived(const Database& db)
    : load_(db, "SELECT step, run, slot, event_id, forward FROM arrived WHERE saga = ?1"),
      insert_(db, "INSERT INTO arrived VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"),
      erase_(db, "DELETE FROM arrived WHERE saga = ?1 AND step = ?2 AND run = ?3 AND slot = ?4"),
      halves_(db,
              "SELECT slot, event FROM arrived WHERE saga = ?1 AND step = ?2 AND run = ?3 "
              "AND event IS NOT NULL ORDER BY slot"),
      forget_(db, "UPDATE arrived SET event = NULL WHERE saga = ?1 AND step = ?2 AND run = ?3") {}

void Arrived::load(std::int64_t saga, std::vector<core::Arrived>& halves) {
    Rows rows = load_.query(saga);
    while (rows.next())
        halves.push_back({.step = std::string(rows.text(0)),
                          .run = rows.id(1),
                          .slot = static_cast<std::uint32_t>(rows.integer(2)),
                          .event = rows.id(3),
                          .forward = rows.integer(4) != 0});
}

void Arrived::insert(std::int64_t saga, const core::Arrived& half, Bytes envelope) {
    insert_.exec(saga, half.step, run_key(half.run), half.slot, half.event, half.forward, envelope);
}

void Arrived::erase(std::int64_t saga, const core::Arrived& half) {
    erase_.exec(saga, half.step, run_key(half.run), half.slot);
}

std::vector<Arrived::Half> Arrived::halves(std::int64_t saga, std::string_view step,
                                           const EventId& run) {
    std::vector<Half> found;
    Rows rows = halves_.query(saga, step, run_key(run));
    while (rows.next())
        found.push_back({static_cast<std::uint32_t>(rows.integer(0)), rows.bytes(1)});
    return found;
}

void Arrived::forget_envelopes(std::int64_t saga, std::string_view step, const EventId& run) {
    forget_.exec(saga, step, run_key(run));
}

}  // namespace saga::store
