// I10: the position in the stream never stands apart from the effects.
#include <algorithm>

#include "saga/verify/checks.hpp"

namespace saga::verify {
namespace {

bool holds(const Facts& facts, const core::Checkpoint& checkpoint) {
    const auto stored = facts.stored(checkpoint.seq);
    return stored && core::holds(checkpoint, stored->stored_at, stored->id);
}

/// Up to where the service has read the stream that there is: the broker may have gone back, and
/// the service not looked yet. What stands between its newest checkpoint and its cursor is read
/// again by whoever connects.
std::uint64_t trusted(const Facts& facts, const Service& service) {
    for (auto each = service.checkpoints.rbegin(); each != service.checkpoints.rend(); ++each)
        if (holds(facts, *each)) return each->seq;
    return 0;
}

void check_settled(const Service& service, Report& report) {
    if (service.catching_up) return;  // what is on record is read back already
    for (const OutRow& row : service.outbox)
        if (!row.notice() && row.stream_seq && *row.stream_seq > service.cursor.seq)
            report.add(service.name, row.event.saga,
                       "{} was read back at {}, and the cursor stands at {}", text_of(row.event),
                       *row.stream_seq, service.cursor.seq);
}

void check_checkpoints(const Facts& facts, const Service& service, bool at_rest, Report& report) {
    for (const core::Checkpoint& checkpoint : service.checkpoints) {
        if (checkpoint.seq > service.cursor.seq)
            report.add(service.name, "", "a checkpoint stands at {}, and the cursor at {}",
                       checkpoint.seq, service.cursor.seq);
        if (!at_rest || checkpoint.seq < facts.first_seq || holds(facts, checkpoint)) continue;
        const auto stored = facts.stored(checkpoint.seq);
        if (stored || facts.whole)
            report.add(service.name, "",
                       "at {} the service read the event {}, and the stream has {} there",
                       checkpoint.seq, checkpoint.id.text(),
                       stored ? stored->id.text() : "nothing");
    }
}

void check_read(const Facts& facts, const Service& service, Report& report) {
    const std::uint64_t to = std::min(service.cursor.seq, trusted(facts, service));
    for (const Message& message : facts.stream) {
        if (message.seq > to) break;
        if (const auto what = missing(service, message.event))
            report.add(service.name, message.event.saga,
                       "the cursor stands at {}, and of {} at {} there is no trace: {}",
                       service.cursor.seq, text_of(message.event), message.seq, *what);
    }
}

void check_ahead(const Facts& facts, const Service& service, Report& report) {
    if (service.cursor.seq > facts.last_seq && (facts.whole || facts.last_seq != 0))
        report.add(service.name, "", "the cursor stands at {}, and the stream ends at {}",
                   service.cursor.seq, facts.last_seq);
    for (const Message& message : facts.stream) {
        const EventId& id = message.event.id;
        if (message.seq <= service.cursor.seq || facts.message(id) != &message) continue;
        const auto traces = service.traces.find(id);
        if (traces == service.traces.end()) continue;
        report.add(service.name, message.event.saga,
                   "{} at {} has left its trace, and the cursor stands at {}",
                   text_of(message.event), message.seq, service.cursor.seq);
    }
}

}  // namespace

void check_cursors(const Facts& facts, const Options& options, Report& report) {
    for (const Service& service : facts.services) {
        check_settled(service, report);
        check_checkpoints(facts, service, options.at_rest, report);
        if (options.at_rest)
            check_ahead(facts, service, report);
        else
            check_read(facts, service, report);  // at rest, I7 says it
    }
}

}  // namespace saga::verify
