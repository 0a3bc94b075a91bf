// I11: nobody holds a lock of a finished saga.
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

}  // namespace

void check_locks(const Facts& facts, const Options&, Report& report) {
    for (const Service& service : facts.services)
        for (const auto& [key, known] : service.sagas) {
            if (known.locks.empty() || !finished(service, known) || unread(service, known))
                continue;
            for (const std::string& entity : known.locks)
                report.add(service.name, known.row.id, "the saga is finished, and still locks {}",
                           entity);
        }
}

}  // namespace saga::verify
