// I6: every event and every effect has its cause; a saga keeps its order inside a service.
#include <algorithm>

#include "saga/verify/checks.hpp"

namespace saga::verify {
namespace {

using core::StepState;

class CausesCheck {
  public:
    CausesCheck(const Facts& facts, const Options& options, Report& report)
        : facts_(facts), options_(options), report_(report) {}

    void run() {
        for (const Message& message : facts_.stream)
            if (facts_.service(message.event.source, message.event.saga) == nullptr)
                cause(nullptr, message.event);
        for (const Service& service : facts_.services) {
            for (const OutRow& row : service.outbox)
                if (!row.notice()) cause(&service, row.event);
            for (const auto& [key, known] : service.sagas) effects(service, known);
            if (options_.unordered.contains(service.name)) continue;
            if (facts_.whole) published_order(service);  // what was lost is published again, later
            for (const auto& [key, known] : service.sagas) order(service, known);
        }
    }

  private:
    /// The trigger of a step, as its source counts it.
    struct Taken {
        const Service* source = nullptr;
        std::int64_t seq = 0;          ///< in the source's outbox
        std::uint64_t stream_seq = 0;  ///< 0: the stream does not have it
        const StepRow* row = nullptr;
    };
    bool gone(const EventId& id, Time started) const {
        return facts_.whole && !facts_.may_be_pruned(started) && !facts_.exists(id);
    }
    void cause(const Service* service, const Event& event);
    void effects(const Service& service, const Known& known);
    void published_order(const Service& service);
    void order(const Service& service, const Known& known);
    std::optional<Taken> taken(const StepRow& row) const;

    const Facts& facts_;
    const Options& options_;
    Report& report_;
};

void CausesCheck::cause(const Service* service, const Event& event) {
    if (event.cause) {
        if (gone(event.cause, event.started))
            report_.add(event.source, event.saga, "{} was caused by {}, which is nowhere",
                        text_of(event), event.cause.text());
    } else if (service != nullptr && !service->stands_aside(event.id)) {
        const Origin origin = origin_of(*service, event);
        if (origin != Origin::command && origin != Origin::operation)
            report_.add(event.source, event.saga, "{} of the step {} has no cause", text_of(event),
                        event.step);
    }
}

void CausesCheck::effects(const Service& service, const Known& known) {
    const auto check = [&](const EventId& id, std::string_view what, std::string_view name) {
        if (id && gone(id, known.row.started))
            report_.add(service.name, known.row.id,
                        "{} {} belongs to the event {}, which is nowhere", what, name, id.text());
    };
    for (const StepRow& row : known.steps) check(row.event, "the step", row.step);
    for (const core::Arrived& half : known.arrived) check(half.event, "a half of", half.step);
    for (const InboxRow& row : known.inbox) check(row.event, "the reaction", row.reaction);
    for (const ParkedRow& row : known.parked) check(row.event, "what waits for", row.step);
}

/// The events that a service published in one saga stand in the stream in their order.
void CausesCheck::published_order(const Service& service) {
    for (const auto& [key, known] : service.sagas) {
        const Message* last = nullptr;
        for (const std::size_t at : known.outbox) {
            if (service.outbox[at].notice()) continue;
            const Message* message = facts_.message(service.outbox[at].event.id);
            if (message == nullptr) continue;
            if (last != nullptr && message->seq < last->seq)
                report_.add(service.name, known.row.id,
                            "{} was committed before {}, and stands behind it in the stream",
                            text_of(last->event), text_of(message->event));
            last = message;
        }
    }
}

/// Of a step that ran when its event came; a call's step ends when its answer comes.
std::optional<CausesCheck::Taken> CausesCheck::taken(const StepRow& row) const {
    if (row.state == StepState::tombstone || row.state == StepState::calling) return std::nullopt;
    const Message* message = facts_.message(row.event);
    for (const Service& source : facts_.services)
        if (const auto sent = source.sent.find(row.event); sent != source.sent.end())
            return Taken{&source, source.outbox[sent->second].seq,
                         message == nullptr ? 0 : message->seq, &row};
    return std::nullopt;
}

/// Steps whose triggers one service published ran in the order in which it committed them, unless
/// these overtook each other on their way.
void CausesCheck::order(const Service& service, const Known& known) {
    std::vector<Taken> all;
    for (const StepRow& row : known.steps) {
        const Step* step = service.contract.step(row.step);
        if (step == nullptr || step->calls) continue;
        if (const auto found = taken(row)) all.push_back(*found);
    }
    std::sort(all.begin(), all.end(), [](const Taken& a, const Taken& b) {
        return std::pair(a.source, a.seq) < std::pair(b.source, b.seq);
    });
    const Taken* latest = nullptr;  // of one source, the last to run
    for (const Taken& each : all) {
        if (latest != nullptr && latest->source == each.source && latest->seq < each.seq &&
            latest->stream_seq < each.stream_seq && latest->row->nth > each.row->nth)
            report_.add(service.name, known.row.id,
                        "the step {} ran before {}, and {} published its event ({}) after the "
                        "other's ({})",
                        each.row->step, latest->row->step, each.source->name,
                        each.row->event.text(), latest->row->event.text());
        if (latest == nullptr || latest->source != each.source || latest->row->nth < each.row->nth)
            latest = &each;
    }
}

}  // namespace

void check_causes(const Facts& facts, const Options& options, Report& report) {
    CausesCheck(facts, options, report).run();
}

}  // namespace saga::verify
