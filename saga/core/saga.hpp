// One service's side of one saga: what happens to an event, in which order, and what it means for
// the others. Pure: all it knows is in SagaState, all it does goes through Host. The worker's Host
// stands on SQLite; the tests' one explores every order.
#pragma once

#include <saga/detail/contract.hpp>
#include <string>
#include <vector>

#include "saga/core/envelope.hpp"
#include "saga/core/ids.hpp"
#include "saga/core/policy.hpp"

namespace saga::core {

struct SagaRow {
    std::int64_t key = 0;  ///< of its row here; 0: unknown here
    std::string id;
    Time started;
    std::vector<std::string> failures;  ///< that failed it, in the order in which they came
    std::string ended_by;               ///< its last word
};

struct StepRow {
    std::string step;
    EventId run;    ///< zero; of a step that runs once for each event, that event's id
    EventId event;  ///< that started it; zero in a tombstone that came before
    StepState state = StepState::done;
    std::uint32_t nth = 0;  ///< undos go through a saga's steps from the highest down
    bool forward = true;    ///< false: a cleanup step
    bool kept = false;      ///< stored for it: what an undo or a timer of its build would be given
};

/// A half of a join that came first, or what a call was asked for.
struct Arrived {
    std::string step;
    EventId run;
    std::uint32_t slot = 0;  ///< its place in the signature
    EventId event;
    bool forward = true;
};

/// What a parked row holds. Never change: stored.
enum class Waits : std::uint8_t {
    event = 1,  ///< all roles of an event
    step = 2,
    reaction = 3,
    undo = 4,
    timer = 5,
    call = 6,  ///< one that nobody answered: it waits for an operator
};

/// How it waits. Never change: stored.
enum class Parking : std::uint8_t {
    retry = 1,    ///< an attempt failed
    later = 2,    ///< the handler said later()
    locked = 3,   ///< another saga holds what it needs
    unlike = 4,   ///< catching up: it did something else than what is on record
    behind = 5,   ///< behind an earlier event of its saga
    dead = 6,     ///< for an operator
    dropped = 7,  ///< behind one that an operator dropped: passed over when its turn comes
};

struct ParkedRow {
    std::int64_t position = 0;  ///< its key; 0: not stored yet
    std::uint32_t place = 0;    ///< in its saga's queue; the roles of one event share it
    Waits what = Waits::event;
    std::string step;       ///< or reaction; empty: the whole event
    std::uint32_t nth = 0;  ///< of a timer: its deadline_of(); of a call: its Part
    EventId run;            ///< of an undo, a timer, a call
    EventId event;          ///< zero: of an undo, a timer, a call
    bool forward = true;
    Parking state = Parking::retry;
    int attempts = 0;

    /// Later events of the saga wait behind it.
    bool blocks() const {
        return what <= Waits::reaction && state != Parking::later && state != Parking::unlike;
    }
    /// It waits only for what stands before it.
    bool follows() const { return state == Parking::behind || state == Parking::dropped; }
};

/// All that this service knows of a saga.
struct SagaState {
    SagaRow row;
    std::vector<StepRow> steps;
    std::vector<Arrived> arrived;
    std::vector<ParkedRow> parked;

    bool failed() const { return !row.failures.empty(); }
    bool ended() const { return !row.ended_by.empty(); }
};

/// What became of a handler. Whatever is not `success` or `asked` has left no trace.
struct Attempt {
    enum class Result : std::uint8_t {
        success,
        failure,
        asked,
        later,
        locked,
        deadlock,
        unlike,
        threw
    };
    Result result = Result::success;
    std::vector<detail::Emitted> events;  ///< of asked: the question
    std::string why;                      ///< of any other than success, failure, asked
};

enum class Part : std::uint8_t { step = 1, undo = 2 };  ///< Never change: stored.

/// Events to be published for a piece of work; their ids follow from role, step, slot and run.
struct Publication {
    std::span<const detail::Emitted> events;
    Kind kind = Kind::done;  ///< of the first; the others are `rest`
    Kind rest = Kind::done;
    std::string_view step;
    Role role = Role::outcome;
    std::uint32_t first_slot = 0;
    EventId run;
    std::string_view because;
};

/// What the rules stand on. Nothing here decides; everything is written in the transaction of the
/// item that is being handled.
class Host {
  public:
    virtual ~Host() = default;

    // Handlers, each in a savepoint of its own.
    virtual Attempt run(const detail::StepCode& step, const Message& trigger) = 0;
    virtual Attempt react(const detail::ReactionCode& reaction, const Message& event) = 0;
    virtual Attempt settle(const detail::StepCode& step, const StepRow& row, Part part,
                           Bytes answer) = 0;
    virtual Attempt undo(const detail::StepCode& step, const StepRow& row) = 0;
    virtual Attempt fire(const detail::StepCode& step, const StepRow& row, std::uint32_t nth) = 0;

    // What they lead to.
    virtual void know(SagaRow& row) = 0;  ///< Inserts the row and gives it its key.
    virtual void mark(const SagaRow& row) = 0;
    virtual void put(const StepRow& row) = 0;
    /// As put, of a step or an undo that ran: with the names of its events and, of a step that is
    /// done, what its undo and its timers will be given.
    virtual void put_ran(const detail::StepCode& step, const StepRow& row,
                         const Attempt& attempt) = 0;
    virtual void publish(const Publication& publication) = 0;
    virtual void keep(const Arrived& half, const Message& event) = 0;
    virtual void drop(const Arrived& half) = 0;
    virtual void used(const StepRow& row) = 0;  ///< Its halves' bytes are needed no more.
    virtual bool reacted(std::string_view reaction, const EventId& event) = 0;
    virtual void remember(std::string_view reaction, const Message& event) = 0;

    /// `why` and, of the dead, a notice; sets the position of a row that has none. `event` is null
    /// where the row stands already, or is of no event. `at_once`: its next attempt is due now,
    /// not after its backoff.
    virtual void park(ParkedRow& row, const Message* event, std::string_view why,
                      bool at_once = false) = 0;
    virtual void unpark(const ParkedRow& row) = 0;

    virtual bool read_any(std::span<const detail::Type> events) = 0;
    virtual void set_timer(const StepRow& row, std::uint32_t nth,
                           std::chrono::milliseconds after) = 0;
    virtual void drop_timer(const StepRow& row, std::uint32_t nth) = 0;
    virtual void drop_timers() = 0;

    virtual void open_call(const StepRow& row, Part part, const detail::Emitted& question) = 0;
    /// Asks again under the same key, after its backoff; `anew`: at once, as if for the first time.
    /// False: that was its last attempt.
    virtual bool retry_call(const StepRow& row, Part part, std::string_view why, bool anew) = 0;
    virtual void close_call(const StepRow& row, Part part) = 0;

    virtual void release_locks() = 0;
    virtual void dead_letter(const Message& event, std::string_view step, std::string_view why) = 0;
};

/// Null: this build has no such step.
const detail::StepCode* find_step(const detail::Contract& contract, std::string_view name);

/// Which of a step's deadlines its `nth` expect is, below 65,536: the same in a build that declares
/// them in another order. Of those that await and ask the same, their own order counts.
std::uint32_t deadline_of(const detail::StepCode& step, std::size_t nth);
/// Null: this build's step has no such deadline.
const detail::Expects* find_deadline(const detail::StepCode& step, std::uint32_t deadline);

/// Whether one of the failures so far takes the step back.
bool undoable(const detail::Contract& contract, const SagaState& state, const StepRow& row);

/// Ended, or failed with nothing left to take back, and nothing waits.
bool finished(const detail::Contract& contract, const SagaState& state);

enum class Operation : std::uint8_t { retry, skip, drop };

class Saga {
  public:
    struct Facts {
        /// Sagas that began before this and are unknown here were forgotten: never run.
        Time journal_from{};
        /// After an unclean stop: an undo becomes an item of its own, so that one that kills the
        /// process is counted.
        bool careful = false;
        /// Every handler becomes an item of its own, which is tried and counted as any.
        bool apart = false;
    };

    Saga(const detail::Contract& contract, SagaState& state, Host& host, Facts facts)
        : contract_(contract), state_(state), host_(host), facts_(facts) {}

    /// False: nothing of the event's saga need be looked at. It is no failure and no last word, and
    /// no step, reaction or deadline waits for it.
    static bool has_role(const detail::Contract& contract, const Envelope& event);
    void on_event(const Message& event);
    /// Whether the reaction, which this build did not have when the event was read, is to see it.
    bool missed(const Message& event, const detail::ReactionCode& reaction) const;
    void on_missed(const Message& event, const detail::ReactionCode& reaction);
    /// `event` is the row's, null for an undo and a timer.
    void on_retry(ParkedRow row, const Message* event);
    void on_answer(const StepRow& row, Part part, Bytes answer);
    /// After its last attempt: it waits for an operator.
    void on_dead_call(const StepRow& row, Part part, std::string_view why);
    void on_timer(const StepRow& row, std::uint32_t nth);
    /// `event` as of on_retry.
    void on_operation(Operation operation, ParkedRow row, const Message* event);

  private:
    using Result = Attempt::Result;

    // Roles of an event, in the order in which they are taken.
    static bool starts_something(const detail::Contract& contract, const Envelope& event);
    static bool awaited(const detail::Contract& contract, const Envelope& event);
    void fail(std::string_view failure);
    void end(std::string_view word);
    void hear(const Message& event);
    const char* unfit(const Envelope& event) const;
    bool too_late(const Envelope& event) const;
    bool wanted(const Envelope& event) const;
    void take_roles(const Message& event, std::uint32_t place);
    void react(const detail::ReactionCode& reaction, const Message& event, ParkedRow waiting);
    void trigger(const detail::StepCode& step, const Message& event, ParkedRow waiting);

    // A step.
    Trigger facts_of(const detail::StepCode& step, const Envelope& event, std::uint32_t slot,
                     const ParkedRow& waiting) const;
    void start(const detail::StepCode& step, const Message& event, std::uint32_t slot,
               ParkedRow waiting);
    bool complete(const detail::StepCode& step, std::uint32_t slot) const;
    void keep(const detail::StepCode& step, const StepRow& row, std::uint32_t slot,
              const Message& event);
    void finish(const detail::StepCode& step, StepRow row, const Attempt& attempt);
    void fail_step(const detail::StepCode& step, StepRow row, const Attempt& attempt);
    void bury(const detail::StepCode& step, const EventId& run, const EventId& event, bool forward);
    void set_timers(const detail::StepCode& step, const StepRow& row);
    void fire(const StepRow& row, std::uint32_t nth, ParkedRow waiting);

    // The way back.
    void undo_all();
    void undo(StepRow row, ParkedRow waiting);
    void settle_undo(const detail::StepCode& step, StepRow row, const Attempt& attempt,
                     ParkedRow waiting);

    // Waiting.
    std::uint32_t next_place() const;
    bool blocked() const;
    void wait(ParkedRow row, const Message* event, const Attempt& attempt);
    void park(ParkedRow row, const Message* event, std::string_view why, bool at_once = false);
    void unpark(const ParkedRow& row);
    void pass_over(const ParkedRow& row, const Message* event);
    const ParkedRow* dead_call(const StepRow& row, Part part) const;
    void wake_next();
    void wake_later(const EventId* but = nullptr);
    bool waits(const ParkedRow& row) const;
    void settle();

    static std::optional<std::uint32_t> slot_of(const detail::StepCode& step,
                                                const Envelope& event);
    static bool takes(const detail::ReactionCode& reaction, const Envelope& event);
    const detail::StepCode* step_of(std::string_view name) const;
    StepRow* row_of(std::string_view step, const EventId& run) const;
    std::uint32_t next_nth() const;
    void put(const StepRow& row, const detail::StepCode* ran = nullptr,
             const Attempt* attempt = nullptr);
    std::string_view because() const;

    const detail::Contract& contract_;
    SagaState& state_;
    Host& host_;
    Facts facts_;
};

}  // namespace saga::core
