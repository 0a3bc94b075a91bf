#include "saga/view/standing.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace saga::view {

void Standing::take(const Fact& fact) {
    if (events++ == 0) started = fact.started;
    last_seq = fact.seq;
    last_event = fact.event;
    last_because = fact.because;
    last_kind = fact.kind;
    engine_only = engine_only && fact.type.starts_with("saga.wire.");
    if (completed()) return;
    failed = failed || fact.failure() || !fact.because.empty();
    last = events == 1 ? fact.time : std::max(last, fact.time);
    if (failed || fact.kind != Kind::ended) return;
    course = Course::completed;
    started = fact.started;
    last = fact.time;
    waits_for.clear();
    waits_since = {};
}

void Standing::settle(const Judgement& judgement) {
    course = judgement.course;
    started = judgement.started;
    last = judgement.last;
    failed_by = judgement.failed_by;
    waits_for.clear();
    waits_since = {};
    if (judgement.awaited.empty()) return;
    const Awaited& first = judgement.awaited.front();
    waits_for = fmt::format("{} ({})", first.service, first.step);
    waits_since = first.since;
}

nlohmann::ordered_json json_of(const Standing& standing) {
    return {{"saga", standing.saga},
            {"state", name_of(standing.course)},
            {"started", core::rfc3339(standing.started)},
            {"duration_us", (standing.last - standing.started).count()},
            {"events", standing.events},
            {"last_event", standing.last_event},
            {"failed_by", standing.failed_by},
            {"waits_for", standing.waits_for}};
}

}  // namespace saga::view
