#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <nlohmann/json.hpp>
#include <saga/scenario.hpp>

#include "engine_generated.h"
#include "saga/core/subject.hpp"
#include "saga/runtime/worker.hpp"

namespace saga::testing {
namespace {

using runtime::Inbound;

constexpr Time kBegin{std::chrono::hours(24 * 365 * 56)};  // some day in 2025: any will do

class Counter final : public runtime::Random {
  public:
    std::uint64_t next() override { return value_ += 7919; }

  private:
    std::uint64_t value_ = 0;
};

/// What stands in an outbox, by type and payload.
struct Seen {
    std::string type;
    std::vector<std::byte> payload;
};

}  // namespace

struct Scenario::World {
    World(Service given, std::string id)
        : service(std::move(given)),
          saga_id(std::move(id)),
          store({.path = ":memory:", .vfs = {}}, service.contract().tables),
          worker(service.contract(), store, key, random, outgoing, {}) {}

    /// Works until nothing is due now; what is published comes back as from the stream.
    void settle() {
        bool busy = true;
        while (busy) {
            in.timers_until = now;
            const runtime::Committed done = worker.round(in, now);
            for (const runtime::Reply& reply : done.replies) replies.push_back(reply.json);
            for (const store::OutboxRow& row : done.published) read_back(row);
            busy = done.items > 0;
        }
    }
    void read_back(const store::OutboxRow& row) {
        const auto read = core::decode(row.envelope);
        const core::Envelope& envelope = std::get<core::Envelope>(read);
        const Bytes payload = envelope.payload;
        if (core::is_dead_letter(row.subject)) {
            const auto& letter = *flatbuffers::GetRoot<wire::DeadLetter>(payload.data());
            letters.push_back(letter.reason()->str());
            return;
        }
        outbox.push_back({std::string(envelope.type), {payload.begin(), payload.end()}});
        arrive(row.subject, row.envelope);
    }
    /// Twice, one after the other.
    void arrive(const std::string& subject, const std::vector<std::byte>& bytes) {
        for (int copy = 0; copy < 2; ++copy)
            if (worker.subscription().wants(subject))
                in.messages.push_back({subject, bytes, ++seq, core::StoreTime(now)});
    }
    std::optional<store::Calls::Row> oldest_call() {
        const std::vector<std::int64_t> due = store.calls.due(Time::max(), 1000);
        if (due.empty()) return std::nullopt;
        return store.calls.find(*std::min_element(due.begin(), due.end()));
    }
    const detail::StepCode& step_of(const std::string& name) const {
        const auto& steps = service.contract().steps;
        return *std::find_if(steps.begin(), steps.end(),
                             [&](const auto& step) { return step.name == name; });
    }

    Service service;
    std::string saga_id;
    Counter random;
    core::IdKey key{{1, 2, 3}};
    core::Outgoing outgoing;
    store::Store store;
    runtime::Worker worker;
    Inbound in;
    Time now = kBegin;
    std::uint64_t seq = 0, given = 0;
    std::deque<Seen> outbox;
    std::deque<std::string> letters;
    std::vector<std::string> replies;
};

Scenario::Scenario(Service service, std::string saga_id)
    : world_(std::make_unique<World>(std::move(service), std::move(saga_id))) {}
Scenario::~Scenario() = default;

Scenario& Scenario::sql(std::string_view statements) {
    world_->store.db().exec(std::string(statements));
    return *this;
}

Scenario& Scenario::deliver(const detail::EventType& type, std::vector<std::byte> payload,
                            Kind kind) {
    World& world = *world_;
    const std::string id = fmt::format("given {}", ++world.given);
    const EventId event_id =
        world.key.id(kBegin, {type.owner, world.saga_id, id, core::Role::outcome, 0, {}});
    const std::vector<std::byte> bytes =
        core::encode({.id = event_id,
                      .type = type.full,
                      .saga = world.saga_id,
                      .started = kBegin,
                      .source = type.owner,
                      .sequence = world.given,
                      .time = world.now,
                      .kind = kind,
                      .because = kind == Kind::failed ? type.name : std::string_view{},
                      .payload = payload});
    const std::string subject =
        core::event_subject(type.owner, kind, type.name, world.saga_id, false);
    if (type.owner == world.service.contract().service)  // then its outbox knows of it
        world.store.outbox.insert(
            {.seq = 0, .id = event_id, .saga = 0, .subject = subject, .envelope = bytes}, world.now,
            std::nullopt);
    world.arrive(subject, bytes);
    world.settle();
    return *this;
}

Scenario& Scenario::elapse(std::chrono::milliseconds time) {
    World& world = *world_;
    const Time until = world.now + time;
    while (const auto due = world.worker.next_due()) {
        if (*due > until) break;
        world.now = std::max(world.now, *due);
        world.settle();
    }
    world.now = until;
    return *this;
}

Scenario& Scenario::silence() {
    const auto call = world_->oldest_call();
    detail::require(call.has_value(), "no call is open", "");
    world_->in.answers.push_back({call->call, std::nullopt, "no answer in time"});
    world_->settle();
    return *this;
}

Scenario& Scenario::settle(std::vector<std::byte> answer) {
    const auto call = world_->oldest_call();
    detail::require(call.has_value(), "no call is open", "");
    for (int copy = 0; copy < 2; ++copy) world_->in.answers.push_back({call->call, answer, {}});
    world_->settle();
    return *this;
}

Verdict Scenario::command(std::string_view verb, std::vector<std::byte> request,
                          std::string_view refusal) {
    World& world = *world_;
    world.replies.clear();
    for (int copy = 0; copy < 2; ++copy)
        world.in.requests.push_back({std::string(verb), request, 0});
    world.settle();
    if (world.replies.size() != 2 || world.replies[0] != world.replies[1])
        return {false, "asked twice, it gives two answers: " +
                           fmt::format("{}", world.replies.empty() ? "" : world.replies.back())};
    const auto json = nlohmann::json::parse(world.replies.front());
    const std::string code = json.contains("refused") ? json["refused"]["code"] : "";
    return {code == refusal, world.replies.front()};
}

Verdict Scenario::called(const detail::EventType& type, const std::vector<std::byte>& question) {
    const auto call = world_->oldest_call();
    if (!call) return {false, "no call is open"};
    const bool same = call->question == question;
    return {same, fmt::format("{} asks {} ({} attempts)", call->step,
                              same ? "this" : "something else than this " + std::string(type.name),
                              call->attempts)};
}

Verdict Scenario::emitted(const detail::EventType& type, const std::vector<std::byte>& payload) {
    if (world_->outbox.empty()) return {false, "the outbox holds nothing more"};
    const Seen next = world_->outbox.front();
    if (next.type != type.full) return {false, "the next event is " + next.type};
    world_->outbox.pop_front();
    return {next.payload == payload,
            next.type + ", with " + (next.payload == payload ? "these" : "other") + " values"};
}

Verdict Scenario::dead(std::string_view reason) {
    if (world_->letters.empty()) return {false, "no dead letter"};
    const std::string letter = world_->letters.front();
    world_->letters.pop_front();
    return {letter.find(reason) != std::string::npos, letter};
}

Verdict Scenario::quiet() const {
    if (!world_->outbox.empty()) return {false, "the next event is " + world_->outbox.front().type};
    if (!world_->letters.empty()) return {false, "a dead letter: " + world_->letters.front()};
    if (const auto call = world_->oldest_call()) return {false, call->step + " has a call open"};
    return {true, "quiet"};
}

std::int64_t Scenario::value(std::string_view select) {
    store::Statement statement(world_->store.db(), select);
    store::Rows rows = statement.query();
    detail::require(rows.next(), "the query yields no row: ", std::string(select));
    return rows.integer(0);
}

}  // namespace saga::testing
