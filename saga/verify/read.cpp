// The tables of one service's file, as facts.
#include <fmt/format.h>

#include <cstring>
#include <saga/error.hpp>

#include "engine_generated.h"
#include "saga/store/statement.hpp"
#include "saga/verify/facts.hpp"

namespace saga::verify {
namespace {

using store::Rows;
using store::Statement;

std::vector<std::string> words(std::string_view text) {
    std::vector<std::string> list;
    while (!text.empty()) {
        const auto space = text.find(' ');
        if (space != 0) list.emplace_back(text.substr(0, space));
        text = space == std::string_view::npos ? std::string_view{} : text.substr(space + 1);
    }
    return list;
}

StoreTime store_time(const Rows& rows, int column) {
    return StoreTime(std::chrono::nanoseconds(rows.integer(column)));
}

/// The event that an operator's word names, where it names one that stood aside.
std::optional<EventId> passed_over(Bytes payload) {
    const auto* data = reinterpret_cast<const std::uint8_t*>(payload.data());
    flatbuffers::Verifier verifier(data, payload.size(), detail::kMaxTableDepth,
                                   detail::kMaxTables);
    if (!verifier.VerifyBuffer<wire::OperatorActed>(nullptr)) return std::nullopt;
    const auto& word = *flatbuffers::GetRoot<wire::OperatorActed>(data);
    EventId id;
    if (word.what()->string_view() != "aside" || word.event_id()->size() != id.bytes.size())
        return std::nullopt;
    std::memcpy(id.bytes.data(), word.event_id()->data(), id.bytes.size());
    return id;
}

class Reader {
  public:
    explicit Reader(Service& service) : service_(service) {}

    void read() {
        sagas();
        journal();
        arrived();
        inbox();
        outbox();
        parked();
        pending();
        aside();
        position();
        for (auto& [key, known] : service_.sagas) service_.by_id.emplace(known.row.id, &known);
    }

  private:
    template <class Row>
    void each(const char* select, Row row) {
        Statement statement(service_.db, select);
        Rows rows = statement.query();
        while (rows.next()) row(rows);
    }
    /// As each, of a table whose first column is a saga's key.
    template <class Row>
    void of_sagas(const char* table, const char* select, Row row) {
        each(select, [&](const Rows& rows) {
            const auto found = service_.sagas.find(rows.integer(0));
            if (found == service_.sagas.end())
                service_.orphans.push_back({table, rows.integer(0), {}});
            else
                row(rows, found->second);
        });
    }
    void leave(const EventId& event, Trace::In in, std::string_view name) {
        if (event) service_.traces[event].push_back({in, name});
    }

    void sagas();
    void journal();
    void arrived();
    void inbox();
    void outbox();
    void parked();
    void pending();
    void aside();
    void position();

    Service& service_;
};

void Reader::sagas() {
    each("SELECT saga, id, started, failed_by, ended_by, touched FROM sagas",
         [&](const Rows& rows) {
             Known& known = service_.sagas[rows.integer(0)];
             known.row = {.key = rows.integer(0),
                          .id = std::string(rows.text(1)),
                          .started = rows.time(2),
                          .failures = words(rows.text(3)),
                          .ended_by = std::string(rows.text(4))};
             known.touched = rows.time(5);
         });
}

void Reader::journal() {
    of_sagas("journal",
             "SELECT saga, step, run, event_id, state, nth, forward, result IS NOT NULL, outcome "
             "FROM journal ORDER BY saga, step, run",
             [&](const Rows& rows, Known& known) {
                 StepRow row;
                 row.step = rows.text(1);
                 row.run = rows.id(2);
                 row.event = rows.id(3);
                 row.state = static_cast<core::StepState>(rows.integer(4));
                 row.nth = static_cast<std::uint32_t>(rows.integer(5));
                 row.forward = rows.integer(6) != 0;
                 row.kept = rows.integer(7) != 0;
                 row.outcome = words(rows.text(8));
                 known.steps.push_back(std::move(row));
             });
    for (const auto& [key, known] : service_.sagas)
        for (const StepRow& row : known.steps) leave(row.event, Trace::In::journal, row.step);
}

void Reader::arrived() {
    of_sagas("arrived", "SELECT saga, step, run, slot, event_id, forward FROM arrived",
             [&](const Rows& rows, Known& known) {
                 known.arrived.push_back({.step = std::string(rows.text(1)),
                                          .run = rows.id(2),
                                          .slot = static_cast<std::uint32_t>(rows.integer(3)),
                                          .event = rows.id(4),
                                          .forward = rows.integer(5) != 0});
             });
    for (const auto& [key, known] : service_.sagas)
        for (const auto& half : known.arrived) leave(half.event, Trace::In::arrived, half.step);
}

void Reader::inbox() {
    of_sagas("inbox", "SELECT saga, event_id, reaction FROM inbox",
             [&](const Rows& rows, Known& known) {
                 known.inbox.push_back({rows.id(1), std::string(rows.text(2))});
             });
    for (const auto& [key, known] : service_.sagas)
        for (const InboxRow& row : known.inbox) leave(row.event, Trace::In::inbox, row.reaction);
}

void Reader::outbox() {
    each("SELECT seq, saga, subject, stream_seq, envelope FROM outbox ORDER BY seq",
         [&](const Rows& rows) {
             const std::vector<std::byte> bytes = rows.bytes(4);
             const auto read = core::decode(bytes);
             const auto* envelope = std::get_if<core::Envelope>(&read);
             if (envelope == nullptr)
                 throw Error(fmt::format("row {} of the outbox of {} holds no event: {}",
                                         rows.integer(0), service_.name,
                                         std::get<core::Unreadable>(read).why));
             OutRow row{.seq = rows.integer(0),
                        .saga = rows.integer(1),
                        .subject = std::string(rows.text(2)),
                        .stream_seq = {},
                        .event = event_of(*envelope)};
             if (rows.type(3) != SQLITE_NULL)
                 row.stream_seq = static_cast<std::uint64_t>(rows.integer(3));
             if (row.event.operation())
                 if (const auto id = passed_over(envelope->payload))
                     service_.passed_over.insert(*id);
             service_.sent.emplace(row.event.id, service_.outbox.size());
             service_.outbox.push_back(std::move(row));
         });
    for (std::size_t at = 0; at < service_.outbox.size(); ++at) {
        const OutRow& row = service_.outbox[at];
        const auto known = service_.sagas.find(row.saga);
        if (known == service_.sagas.end()) {
            if (row.saga != 0) service_.orphans.push_back({"outbox", row.saga, row.event.started});
            continue;
        }
        known->second.outbox.push_back(at);
        known->second.operated = known->second.operated || row.event.operation();
    }
}

void Reader::parked() {
    of_sagas("parked",
             "SELECT saga, position, place, what, step, nth, run, event_id, forward, state, "
             "attempts, reason, stream_seq FROM parked ORDER BY position",
             [&](const Rows& rows, Known& known) {
                 ParkedRow row;
                 row.position = rows.integer(1);
                 row.place = static_cast<std::uint32_t>(rows.integer(2));
                 row.what = static_cast<core::Waits>(rows.integer(3));
                 row.step = rows.text(4);
                 row.nth = static_cast<std::uint32_t>(rows.integer(5));
                 row.run = rows.id(6);
                 row.event = rows.id(7);
                 row.forward = rows.integer(8) != 0;
                 row.state = static_cast<core::Parking>(rows.integer(9));
                 row.attempts = static_cast<int>(rows.integer(10));
                 row.reason = rows.text(11);
                 row.stream_seq = static_cast<std::uint64_t>(rows.integer(12));
                 known.parked.push_back(std::move(row));
             });
    for (const auto& [key, known] : service_.sagas)
        for (const ParkedRow& row : known.parked) leave(row.event, Trace::In::parked, row.step);
}

void Reader::pending() {
    of_sagas("timers", "SELECT saga, step, run, due FROM timers",
             [&](const Rows& rows, Known& known) {
                 known.timers.push_back({std::string(rows.text(1)), rows.id(2), rows.time(3)});
             });
    of_sagas("calls", "SELECT saga, call, step, run, part, attempts, next_at IS NULL FROM calls",
             [&](const Rows& rows, Known& known) {
                 known.calls.push_back({.call = rows.integer(1),
                                        .step = std::string(rows.text(2)),
                                        .run = rows.id(3),
                                        .part = static_cast<core::Part>(rows.integer(4)),
                                        .attempts = static_cast<int>(rows.integer(5)),
                                        .dead = rows.integer(6) != 0});
             });
    of_sagas("locks", "SELECT saga, entity FROM locks",
             [&](const Rows& rows, Known& known) { known.locks.emplace_back(rows.text(1)); });
    of_sagas("lock_queue", "SELECT saga, position FROM lock_queue",
             [&](const Rows& rows, Known& known) { known.queued.insert(rows.integer(1)); });
    of_sagas("commands", "SELECT saga, verb, event, event_id FROM commands",
             [&](const Rows& rows, Known& known) {
                 known.commands.push_back(
                     {std::string(rows.text(1)), std::string(rows.text(2)), rows.id(3)});
             });
}

void Reader::aside() {
    each("SELECT position, event_id, saga_id, step, reason, stream_seq FROM aside",
         [&](const Rows& rows) {
             service_.aside.push_back({.position = rows.integer(0),
                                       .event = rows.id(1),
                                       .saga = std::string(rows.text(2)),
                                       .step = std::string(rows.text(3)),
                                       .reason = std::string(rows.text(4)),
                                       .stream_seq = static_cast<std::uint64_t>(rows.integer(5))});
         });
    for (const AsideRow& row : service_.aside) leave(row.event, Trace::In::aside, row.step);
    each("SELECT event_id FROM recorded",
         [&](const Rows& rows) { service_.recorded.insert(rows.id(0)); });
}

void Reader::position() {
    each("SELECT created, seq, deleted, stored_at FROM cursor", [&](const Rows& rows) {
        service_.cursor = {store_time(rows, 0),
                           static_cast<std::uint64_t>(rows.integer(1)),
                           static_cast<std::uint64_t>(rows.integer(2)),
                           {}};
        service_.cursor_stored_at = store_time(rows, 3);
    });
    each("SELECT seq, stored_at, event_id FROM checkpoints ORDER BY seq", [&](const Rows& rows) {
        service_.checkpoints.push_back(
            {static_cast<std::uint64_t>(rows.integer(0)), store_time(rows, 1), rows.id(2)});
    });
    each("SELECT name, value FROM meta WHERE name IN ('journal_from', 'catch_up')",
         [&](const Rows& rows) {
             if (rows.text(0) == "catch_up")
                 service_.catching_up = true;
             else
                 service_.journal_from = rows.time(1);
         });
}

}  // namespace

Service read_service(const ServiceView& view) {
    Service service;
    auto [name, shard] = core::parse_instance(view.service);
    service.name = std::move(name);
    service.shard = shard;
    service.db = view.db;
    service.contract = read_contract(view.contract);
    Reader(service).read();
    return service;
}

}  // namespace saga::verify
