// I11: nobody holds a lock of a finished saga, and who waits for one stands in its queue.
#include <algorithm>

#include "saga/verify/checks.hpp"

namespace saga::verify {
namespace {

/// An end by a command lets its locks go when it is read back.
bool unread(const Service& service, const Known& known) {
    return std::any_of(known.outbox.begin(), known.outbox.end(), [&](std::size_t at) {
        return service.outbox[at].event.kind == Kind::ended && !service.outbox[at].stream_seq;
    });
}

/// Nobody would wake the one, and the other keeps everybody out.
void check_queue(const Service& service, const Known& known, Report& report) {
    std::set<std::int64_t> waiting;
    for (const ParkedRow& row : known.parked)
        if (row.state == core::Parking::locked) waiting.insert(row.position);
    for (const std::int64_t position : known.queued)
        if (!waiting.contains(position))
            report.add(service.name, known.row.id,
                       "{} stands in a lock's queue, and does not wait for one", position);
    for (const std::int64_t position : waiting)
        if (!known.queued.contains(position))
            report.add(service.name, known.row.id, "{} waits for a lock, and stands in no queue",
                       position);
}

}  // namespace

void check_locks(const Facts& facts, const Options&, Report& report) {
    for (const Service& service : facts.services)
        for (const auto& [key, known] : service.sagas) {
            check_queue(service, known, report);
            if (known.locks.empty() || !finished(service, known) || unread(service, known))
                continue;
            for (const std::string& entity : known.locks)
                report.add(service.name, known.row.id, "the saga is finished, and still locks {}",
                           entity);
        }
}

}  // namespace saga::verify
