// Runs handlers and writes what the rules decide: core::Host on SQLite.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "saga/core/ids.hpp"
#include "saga/core/saga.hpp"
#include "saga/runtime/clock.hpp"
#include "saga/runtime/handler_port.hpp"
#include "saga/store/store.hpp"

namespace saga::runtime {

/// The step that an operator's word names as its own.
inline constexpr std::string_view kOperationStep = "operation";

/// What an item is due to: stands in the envelopes of whatever it leads to.
struct Origin {
    EventId cause;
    Time time;               ///< of the cause's envelope: what View::now() says
    std::uint16_t hops = 0;  ///< of the cause
    std::string trace;
    std::optional<core::StoreTime> stored_at;  ///< of a message of the stream
    std::string_view subject;                  ///< under which it stood there, if that is known
    bool waited = false;  ///< it was tried before: what comes of it may be on record already
};

Origin origin_of(const core::Message& message);

class Executor final : public core::Host {
  public:
    struct Options {
        bool saga_in_subject = false;  ///< the optional last token of subjects
    };
    Executor(const Contract& contract, store::Store& store, const core::IdKey& key, Random& random,
             Options options);

    /// Everything until the next begin() belongs to this item.
    void begin(core::SagaState& state, Origin origin, Time now);

    /// The database is older than what the service once published: its record decides.
    void set_catching_up(bool on) { catching_up_ = on; }
    /// What an operator passed over in the life before, further on in the stream: it is not done
    /// again before the word comes.
    struct Passed {
        std::string saga;
        std::string what;       ///< as name_of() calls a core::Waits
        std::string step;       ///< or reaction; empty: all that the event leads to
        EventId of;             ///< the event; of an undo, a timer the run
        std::uint32_t nth = 0;  ///< of a timer
        auto operator<=>(const Passed&) const = default;
    };
    void set_passed_over(std::set<Passed> passed) { passed_over_ = std::move(passed); }

    /// A command's event, the first fact that it leads to; `fingerprint` of the request.
    EventId publish_command(const detail::CommandCode& command, const detail::Emitted& event,
                            const EventId& fingerprint);
    /// An operator's word, which counts when it is read back.
    EventId publish_operation(std::string_view saga_id, const detail::Emitted& word);
    /// Whatever cannot be read at all.
    void dead_message(std::string_view subject, Bytes message, std::uint64_t stream_seq,
                      core::StoreTime stored_at, std::string_view why);
    /// Under which this service publishes an event of its own.
    std::string subject_of(const core::Envelope& own) const;
    EventId id_of(std::string_view step, core::Role role, std::uint32_t slot,
                  const EventId& run) const;

    /// What the transaction added to the outbox for the relay, in order.
    std::vector<store::OutboxRow> take_published() { return std::exchange(published_, {}); }

    // core::Host
    core::Attempt run(const detail::StepCode& step, const core::Message& trigger) override;
    core::Attempt react(const detail::ReactionCode& reaction, const core::Message& event) override;
    core::Attempt settle(const detail::StepCode& step, const core::StepRow& row, core::Part part,
                         Bytes answer) override;
    core::Attempt undo(const detail::StepCode& step, const core::StepRow& row) override;
    core::Attempt fire(const detail::StepCode& step, const core::StepRow& row,
                       std::uint32_t nth) override;
    void know(core::SagaRow& row) override;
    void mark(const core::SagaRow& row) override;
    void put(const core::StepRow& row) override;
    void put_ran(const detail::StepCode& step, const core::StepRow& row,
                 const core::Attempt& attempt) override;
    void publish(const core::Publication& publication) override;
    void keep(const core::Arrived& half, const core::Message& event) override;
    void drop(const core::Arrived& half) override;
    void used(const core::StepRow& row) override;
    bool reacted(std::string_view reaction, const EventId& event) override;
    void remember(std::string_view reaction, const core::Message& event) override;
    void park(core::ParkedRow& row, const core::Message* event, std::string_view why,
              bool at_once) override;
    void unpark(const core::ParkedRow& row) override;
    bool read_any(std::span<const detail::Type> events) override;
    void set_timer(const core::StepRow& row, std::uint32_t nth,
                   std::chrono::milliseconds after) override;
    void drop_timer(const core::StepRow& row, std::uint32_t nth) override;
    void drop_timers() override;
    void open_call(const core::StepRow& row, core::Part part,
                   const detail::Emitted& question) override;
    bool retry_call(const core::StepRow& row, core::Part part, std::string_view why,
                    bool anew) override;
    void close_call(const core::StepRow& row, core::Part part) override;
    void release_locks() override;
    void dead_letter(const core::Message& event, std::string_view step,
                     std::string_view why) override;

  private:
    /// What is on record of a piece of work while catching up.
    struct Record {
        std::vector<std::byte> envelope_bytes;
        core::Envelope envelope;
    };
    template <class Handler>
    core::Attempt guarded(Locking locking, Handler handler);
    core::Attempt run_code(const detail::Code& code, Locking locking, const Given& given);
    std::optional<core::Attempt> passed_over(core::Waits what, std::string_view step,
                                             const EventId& of, std::uint32_t nth = 0) const;
    Locking locking_of_answer() const;
    void wake(const std::vector<std::string>& entities);
    void wait_in_queue(const core::ParkedRow& row);

    std::optional<core::Attempt> on_record(const detail::Code& code,
                                           std::span<const detail::Emits> emits,
                                           std::string_view step, core::Role role,
                                           const EventId& run, const Given& given);
    core::Attempt as_recorded(const Record& record, const detail::Code& code,
                              std::span<const detail::Emits> emits, std::string_view step,
                              core::Role role, const EventId& run, const Given& given);
    bool alike(const core::Attempt& attempt, std::string_view step, core::Role role,
               std::uint32_t first_slot, const EventId& run);
    std::optional<Record> record_of(const EventId& id);

    Given given_to(const detail::StepCode& step, const core::Message& trigger);
    Given given_to_answer(const detail::StepCode& step, const core::StepRow& row);
    std::optional<std::string> foreign(const detail::StepCode& step, const core::StepRow& row);
    Given given_to_follow_up(const detail::StepCode& step, const core::StepRow& row);

    struct Out {
        EventId id;
        Kind kind = Kind::done;
        std::string_view step, because;
        Bytes sealed;
    };
    void write_event(const Out& out, const detail::Emitted& event);
    void notice(std::string_view step, std::string_view why, int attempts, bool blocks,
                const core::Message* event, std::string_view subject, Bytes message,
                std::uint64_t stream_seq);
    store::Timers::Row timer_of(const core::StepRow& row, std::uint32_t nth) const;

    const Contract& contract_;
    store::Store& store_;
    const core::IdKey& key_;
    Random& random_;
    Options options_;
    bool catching_up_ = false;
    std::set<Passed> passed_over_;  ///< only while catching up

    core::SagaState* state_ = nullptr;
    Origin origin_;
    Time now_;
    Time happened_;  ///< what is on record of this item: when it was published; else now
    std::vector<std::byte> result_;  ///< what the last handler was given, as an undo would need it
    std::vector<std::byte> answer_;  ///< that the last settle was given: sealed into its event
    std::vector<std::string> wanted_;  ///< that the last handler could not lock
    std::vector<store::OutboxRow> published_;
};

}  // namespace saga::runtime
