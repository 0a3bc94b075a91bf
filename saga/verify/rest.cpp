// I7: at rest nothing is unsent, nothing lost, nothing without origin, nothing unread.
#include <algorithm>

#include "saga/verify/checks.hpp"

namespace saga::verify {
namespace {

/// Rows that were not read back, and events that were and are not there.
void check_sent(const Facts& facts, const Service& service, Report& report) {
    for (const OutRow& row : service.outbox) {
        if (!row.stream_seq) {
            report.add(service.name, row.event.saga, "{} was never read back from the stream",
                       text_of(row.event));
            continue;
        }
        if (row.notice()) continue;
        if (!facts.whole && (facts.first_seq == 0 || *row.stream_seq < facts.first_seq)) continue;
        const auto stored = facts.stored(*row.stream_seq);
        if (facts.message(row.event.id) == nullptr)
            report.add(service.name, row.event.saga,
                       "{} was read back at {} and is not in the stream", text_of(row.event),
                       *row.stream_seq);
        else if (stored && stored->id != row.event.id)
            report.add(service.name, row.event.saga, "{} was read back at {}, where {} stands",
                       text_of(row.event), *row.stream_seq, stored->id.text());
    }
}

/// Every event is some service's own, and says what that service says.
void check_origins(const Facts& facts, Report& report) {
    for (const Message& message : facts.stream) {
        const Event& event = message.event;
        const Service* source = facts.service(event.source, event.saga);
        if (source == nullptr) continue;  // it takes part without us
        const auto sent = source->sent.find(event.id);
        if (sent == source->sent.end()) {
            const bool old = facts.may_be_pruned(event.started);
            if (!old && !source->recorded.contains(event.id))
                report.add(source->name, event.saga,
                           "{} stands in the stream at {}, and {} never published it",
                           text_of(event), message.seq, source->name);
            continue;
        }
        const Event& own = source->outbox[sent->second].event;
        if (own.type != event.type || own.saga != event.saga || own.kind != event.kind)
            report.add(source->name, event.saga,
                       "{} of the saga {} stands in the outbox, and {} of the saga {} in the "
                       "stream at {}",
                       text_of(own), own.saga, text_of(event), event.saga, message.seq);
    }
}

void check_read(const Facts& facts, const Service& service, Report& report) {
    bool behind = false;
    for (const Message& message : facts.stream) {
        const Event& event = message.event;
        const bool reads =
            service.shard.takes(event.saga) &&
            service.contract.reads(service.name, event.source, event.name(), event.kind);
        if (!reads) continue;
        if (message.seq > service.cursor.seq && !std::exchange(behind, true))
            report.add(service.name, event.saga, "{} at {} is unread: the cursor stands at {}",
                       text_of(event), message.seq, service.cursor.seq);
        if (const auto what = missing(service, event))
            report.add(service.name, event.saga, "of {} at {} there is no trace: {}",
                       text_of(event), message.seq, *what);
    }
}

}  // namespace

void check_rest(const Facts& facts, const Options& options, Report& report) {
    if (!options.at_rest) return;
    check_origins(facts, report);
    for (const Service& service : facts.services) {
        check_sent(facts, service, report);
        check_read(facts, service, report);
    }
}

}  // namespace saga::verify
