// I8: at rest nothing waits and no saga is open, but for what waits for an operator.
#include <algorithm>

#include "saga/verify/checks.hpp"

namespace saga::verify {
namespace {

void check_pending(const Service& service, const Known& known, Report& report) {
    const std::string& saga = known.row.id;
    for (const ParkedRow& row : known.parked)
        if (row.state != core::Parking::dead)
            report.add(service.name, saga, "{} {} {} waits ({}) after {} attempts: {}",
                       name_of(row.what), row.step, row.event.text(), name_of(row.state),
                       row.attempts, row.reason);
    for (const CallRow& call : known.calls)
        if (!call.dead)
            report.add(service.name, saga, "a call of the step {} has no answer", call.step);
    const auto read_to = std::chrono::floor<std::chrono::microseconds>(service.cursor_stored_at);
    for (const TimerRow& timer : known.timers) {
        if (known.ended() || known.failed())
            report.add(service.name, saga, "a timer of the step {} runs, and the saga is over",
                       timer.step);
        else if (timer.due < read_to)
            report.add(service.name, saga, "a timer of the step {} is overdue", timer.step);
    }
}

/// Sagas that have begun, and neither ended nor failed, as far as anybody knows.
void check_open(const Facts& facts, Report& report) {
    const bool ends = std::any_of(facts.services.begin(), facts.services.end(),
                                  [](const Service& each) { return each.contract.ends_sagas(); });
    if (!ends) return;  // a landscape that says no last words
    const Ends words = ends_of(facts);
    std::map<std::string, const Service*> open;
    std::unordered_set<std::string> over;
    for (const Service& service : facts.services)
        for (const auto& [key, known] : service.sagas) {
            if (known.ended() || known.failed() || words.contains(known.row.id))
                over.insert(known.row.id);
            else
                open.emplace(known.row.id, &service);
        }
    for (const auto& [saga, service] : open)
        if (!over.contains(saga) && !facts.excused(saga))
            report.add(service->name, saga, "the saga is open: it has neither ended nor failed");
}

}  // namespace

void check_waiting(const Facts& facts, const Options& options, Report& report) {
    if (!options.at_rest) return;
    for (const Service& service : facts.services)
        for (const auto& [key, known] : service.sagas)
            if (!facts.excused(known.row.id)) check_pending(service, known, report);
    check_open(facts, report);
}

}  // namespace saga::verify
