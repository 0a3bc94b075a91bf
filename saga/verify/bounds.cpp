// I12: attempts, files, queues and what is kept have their bounds.
#include <algorithm>

#include "saga/core/backoff.hpp"
#include "saga/verify/checks.hpp"

namespace saga::verify {
namespace {

using core::Ladder;
using core::Parking;

/// Attempts that a row that still waits can have made.
int most_attempts(const ParkedRow& row) {
    const int most =
        std::max(core::most_attempts(Ladder::undo), core::most_attempts(Ladder::later));
    const bool threw = row.state == Parking::retry && row.what != core::Waits::undo;
    return threw ? core::most_attempts(Ladder::event) : most;
}

void check_attempts(const Service& service, const Known& known, Report& report) {
    std::size_t behind = 0;
    for (const ParkedRow& row : known.parked) {
        behind += row.state == Parking::behind;
        if (row.state != Parking::dead && row.attempts >= most_attempts(row))
            report.add(service.name, known.row.id, "{} {} {} is tried again after {} attempts",
                       name_of(row.what), row.step, row.event.text(), row.attempts);
    }
    if (behind > core::kMaxQueued)
        report.add(service.name, known.row.id, "{} events wait behind one, and {} may", behind,
                   core::kMaxQueued);
}

/// Bytes of the write-ahead log, whichever files the database stands in; 0: it has none.
std::uint64_t wal_bytes(sqlite3* db) {
    sqlite3_file* file = nullptr;
    if (sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &file) != SQLITE_OK)
        return 0;
    sqlite3_int64 size = 0;
    const bool open = file != nullptr && file->pMethods != nullptr;
    if (!open || file->pMethods->xFileSize(file, &size) != SQLITE_OK) return 0;
    return static_cast<std::uint64_t>(size);
}

void check_sizes(const Service& service, const Options& options, Report& report) {
    if (const auto bytes = wal_bytes(service.db); bytes > options.max_wal_bytes)
        report.add(service.name, "", "the write-ahead log has {} bytes, and may have {}", bytes,
                   options.max_wal_bytes);
    if (service.aside.size() > core::kMaxAside)
        report.add(service.name, "", "{} messages stand aside, and {} may", service.aside.size(),
                   core::kMaxAside);
    if (service.checkpoints.size() > 2 * core::kRecentCheckpoints)
        report.add(service.name, "", "there are {} checkpoints, and may be {}",
                   service.checkpoints.size(), 2 * core::kRecentCheckpoints);
}

/// Finished sagas that pruning should have taken, whatever the clocks' skew.
void check_leftovers(const Facts& facts, const Service& service, const Options& options,
                     Report& report) {
    if (!options.max_leftovers) return;
    const Time before = facts.latest() - 2 * core::kClockSkew - options.retention;
    const auto left = static_cast<std::size_t>(
        std::count_if(service.sagas.begin(), service.sagas.end(), [&](const auto& each) {
            const Known& known = each.second;
            return known.touched < before && known.row.started < before && finished(service, known);
        }));
    if (left > *options.max_leftovers)
        report.add(service.name, "", "{} sagas were finished long ago and are kept, and {} may be",
                   left, *options.max_leftovers);
}

}  // namespace

void check_bounds(const Facts& facts, const Options& options, Report& report) {
    for (const Service& service : facts.services) {
        for (const auto& [key, known] : service.sagas) check_attempts(service, known, report);
        check_sizes(service, options, report);
        check_leftovers(facts, service, options, report);
        for (const OutRow& row : service.outbox)
            if (row.event.forward() && row.event.hops > core::kMaxHops + 1)
                report.add(service.name, row.event.saga,
                           "{} is {} events away from its saga's first", text_of(row.event),
                           row.event.hops);
    }
}

}  // namespace saga::verify
