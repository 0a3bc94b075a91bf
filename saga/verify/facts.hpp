// What a landscape's databases and its stream say, read once, so that each checker only compares.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "saga/core/saga.hpp"
#include "saga/core/shard.hpp"
#include "saga/core/subject.hpp"
#include "saga/verify/contract.hpp"
#include "saga/verify/verify.hpp"

namespace saga::verify {

/// An envelope that outlives its bytes.
struct Event {
    EventId id, cause;
    std::string type, saga, source, step, because;
    Kind kind = Kind::done;
    Time started;
    std::uint16_t hops = 0;

    std::string_view name() const { return detail::split_type(type).name; }
    bool forward() const { return kind == Kind::done || (kind == Kind::ended && because.empty()); }
    bool operation() const;  ///< An operator's word.
    /// The failure that it tells of, if it tells of one.
    std::optional<std::string_view> failure() const;
};
std::string text_of(const Event& event);  ///< "Granted (01a1fb10-…)"

/// A message of the stream that is an event.
struct Message {
    std::uint64_t seq = 0;
    StoreTime stored_at;
    Event event;
};
/// One that is none: it cannot be read, or is not what its subject says.
struct Junk {
    std::uint64_t seq = 0;
    StoreTime stored_at;
    std::string subject, why;
    EventId id;
    std::string source;  ///< whose event it says it is
};

struct StepRow : core::StepRow {
    std::vector<std::string> outcome;  ///< names of what it published
};
struct OutRow {
    std::int64_t seq = 0, saga = 0;
    std::string subject;
    std::optional<std::uint64_t> stream_seq;
    Event event;
    bool notice() const { return core::is_dead_letter(subject); }
};
struct InboxRow {
    EventId event;
    std::string reaction;
};
struct ParkedRow : core::ParkedRow {
    std::string reason;
    std::uint64_t stream_seq = 0;
};
struct TimerRow {
    std::string step;
    EventId run;
    Time due;
};
struct CallRow {
    std::int64_t call = 0;
    std::string step;
    EventId run;
    core::Part part = core::Part::step;
    int attempts = 0;
    bool dead = false;
};
struct CommandRow {
    std::string verb, name;
    EventId event;
};
struct AsideRow {
    std::int64_t position = 0;
    EventId event;
    std::string saga, step, reason;
    std::uint64_t stream_seq = 0;
};

/// All that one service knows of one saga.
struct Known {
    core::SagaRow row;
    Time touched;
    std::vector<StepRow> steps;  ///< by (step, run)
    std::vector<core::Arrived> arrived;
    std::vector<InboxRow> inbox;
    std::vector<std::size_t> outbox;  ///< places in the service's
    std::vector<ParkedRow> parked;
    std::vector<TimerRow> timers;
    std::vector<CallRow> calls;
    std::vector<std::string> locks;
    std::set<std::int64_t> queued;  ///< parked rows that stand in a lock's queue
    std::vector<CommandRow> commands;
    bool operated = false;  ///< an operator had a word here

    bool failed() const { return !row.failures.empty(); }
    bool ended() const { return !row.ended_by.empty(); }
    bool failed_by(std::string_view failure) const;
    const StepRow* step(std::string_view name, const EventId& run) const;
    /// Whether a row waits for an operator.
    bool dead() const;
};

/// Where an event left something in a service.
struct Trace {
    enum class In : std::uint8_t { journal, arrived, inbox, parked, aside };
    In in = In::journal;
    std::string_view name;  ///< of the step or the reaction; empty: the whole event
};

struct HashId {
    std::size_t operator()(const EventId& id) const;
};

struct Service {
    Service() = default;
    Service(Service&&) = default;  // traces look into the rows
    Service(const Service&) = delete;
    Service& operator=(Service&&) = delete;
    Service& operator=(const Service&) = delete;
    ~Service() = default;

    std::string name;
    core::Shard shard;  ///< of several databases of a service, each has its own sagas
    sqlite3* db = nullptr;
    Contract contract;
    std::map<std::int64_t, Known> sagas;
    std::unordered_map<std::string, const Known*> by_id;
    std::vector<OutRow> outbox;
    std::unordered_map<EventId, std::size_t, HashId> sent;  ///< places in the outbox
    std::unordered_map<EventId, std::vector<Trace>, HashId> traces;
    std::vector<AsideRow> aside;
    std::unordered_set<EventId, HashId> recorded, passed_over;  ///< passed over: what stood aside
    std::vector<core::Checkpoint> checkpoints;
    core::Position cursor;
    StoreTime cursor_stored_at;
    Time journal_from;  ///< sagas that began before may be forgotten
    bool catching_up = false;
    /// Rows of tables whose saga stands in no row of sagas.
    struct Orphan {
        const char* table = nullptr;
        std::int64_t saga = 0;
        std::optional<Time> started;  ///< where the row says so
    };
    std::vector<Orphan> orphans;

    const Known* find(const std::string& saga_id) const;
    bool has(const EventId& event, Trace::In in, std::string_view name) const;
    bool stands_aside(const EventId& event) const;
};

class Facts {
  public:
    /// Throws Error.
    Facts(const Landscape& landscape, const Options& options);
    Facts(const Facts&) = delete;  // its parts point at each other
    Facts& operator=(const Facts&) = delete;
    ~Facts() = default;

    std::vector<Service> services;
    std::vector<Message> stream;
    std::vector<Junk> junk;
    std::uint64_t first_seq = 0, last_seq = 0;  ///< of the stream, junk too; 0: it is empty
    bool whole = true;

    /// The one that has the saga, or would have it; null: its database is not here.
    const Service* service(std::string_view name, std::string_view saga) const;
    /// The first copy of the event in the stream, or null.
    const Message* message(const EventId& id) const;
    /// The message at a sequence, or null; `stored_at` of junk too.
    std::optional<core::Checkpoint> stored(std::uint64_t seq) const;
    /// Whether the event stands in the stream or in an outbox.
    bool exists(const EventId& id) const;
    /// What began then may have left the outboxes, by age.
    bool may_be_pruned(Time started) const { return started + outbox_horizon_ <= latest_; }
    /// The latest moment that anything here tells of.
    Time latest() const { return latest_; }
    /// Sagas where something waits for an operator, or one had a word.
    bool excused(const std::string& saga_id) const { return excused_.contains(saga_id); }

  private:
    void read_stream(const std::vector<Stored>& stream);
    void look_at_times();
    std::unordered_map<EventId, std::size_t, HashId> by_id_;
    std::unordered_map<std::string_view, std::vector<const Service*>> by_name_;  // its shards
    std::unordered_set<std::string> excused_;
    std::chrono::microseconds outbox_horizon_;
    Time latest_{};
};

/// Reads the tables of one service's file.
Service read_service(const ServiceView& view);
/// What an envelope says.
Event event_of(const core::Envelope& envelope);

}  // namespace saga::verify
