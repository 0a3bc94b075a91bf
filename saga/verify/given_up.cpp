// I13: what is no event has no effect; whatever was given up has a reason, and somebody was told.
#include <algorithm>

#include "saga/core/subject.hpp"
#include "saga/verify/checks.hpp"

namespace saga::verify {
namespace {

class GivenUpCheck {
  public:
    GivenUpCheck(const Facts& facts, const Service& service, Report& report)
        : facts_(facts), service_(service), report_(report) {
        for (const OutRow& row : service.outbox)
            if (row.notice()) told_.insert(row.event.cause);
        for (const AsideRow& row : service.aside) aside_at_.insert(row.stream_seq);
    }

    void run(bool at_rest) {
        for (const AsideRow& row : service_.aside)
            reason(row.saga, row.event, row.reason, service_.find(row.saga));
        for (const auto& [key, known] : service_.sagas)
            for (const ParkedRow& row : known.parked)
                if (row.state == core::Parking::dead)
                    reason(known.row.id, row.event, row.reason, &known);
        for (const Junk& junk : facts_.junk) {
            if (junk.id && !facts_.exists(junk.id) && !may_be_lost(junk)) effects(junk);
            if (at_rest) rejected(junk);
        }
    }

  private:
    void reason(const std::string& saga, const EventId& event, const std::string& reason,
                const Known* known);
    bool may_be_lost(const Junk& junk) const;
    void effects(const Junk& junk);
    void rejected(const Junk& junk);

    const Facts& facts_;
    const Service& service_;
    Report& report_;
    std::unordered_set<EventId, HashId> told_;
    std::unordered_set<std::uint64_t> aside_at_;
};

void GivenUpCheck::reason(const std::string& saga, const EventId& event, const std::string& reason,
                          const Known* known) {
    if (reason.empty())
        report_.add(service_.name, saga, "the event {} was given up without a reason",
                    event.text());
    const bool young = known != nullptr && !facts_.may_be_pruned(known->row.started);
    if (event && young && !told_.contains(event))
        report_.add(service_.name, saga, "the event {} was given up, and nobody was told",
                    event.text());
}

/// It may be a copy of an event that the stream has lost and whose owner's outbox is not here.
bool GivenUpCheck::may_be_lost(const Junk& junk) const {
    return !facts_.whole &&
           std::none_of(facts_.services.begin(), facts_.services.end(),
                        [&](const Service& service) { return service.name == junk.source; });
}

void GivenUpCheck::effects(const Junk& junk) {
    const auto found = service_.traces.find(junk.id);
    if (found == service_.traces.end()) return;
    for (const Trace& trace : found->second)
        if (trace.in != Trace::In::aside)
            report_.add(service_.name, "",
                        "the message at {} is no event ({}), and was handled: {}", junk.seq,
                        junk.why, trace.name);
}

/// Who read it has put it aside.
void GivenUpCheck::rejected(const Junk& junk) {
    const auto subject = core::parse_event_subject(junk.subject);
    if (!subject || junk.seq > service_.cursor.seq || aside_at_.contains(junk.seq)) return;
    if (!service_.shard.takes_subject(junk.subject)) return;
    if (!service_.contract.reads(service_.name, subject->service, subject->event, subject->kind))
        return;
    const bool acted = service_.passed_over.contains(EventId{});  // an operator removed one
    if (!acted && service_.aside.size() < core::kMaxAside)
        report_.add(service_.name, "", "the message at {} is no event ({}), and stands not aside",
                    junk.seq, junk.why);
}

}  // namespace

void check_given_up(const Facts& facts, const Options& options, Report& report) {
    for (const Service& service : facts.services)
        GivenUpCheck(facts, service, report).run(options.at_rest);
}

}  // namespace saga::verify
