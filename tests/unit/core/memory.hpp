// What one service has stored of one saga, in memory, and the Host that writes it: as strict as the
// tables of the database, so that a rule which leans on more than them fails.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "saga/core/saga.hpp"

namespace saga::test {

/// When a parked row has its next attempt.
enum class Due : std::uint8_t { never, after_backoff, now };

struct StoredParked {
    core::ParkedRow row;
    std::uint64_t message = 0;  ///< the event's number in the stream; 0: the row is of no event
    Due due = Due::never;
};
struct StoredTimer {
    std::string step;
    EventId run;
    std::uint32_t nth = 0;
    bool operator==(const StoredTimer&) const = default;
};
struct StoredCall {
    std::string step;
    EventId run;
    core::Part part = core::Part::step;
    int attempts = 0;
    bool given_up = false;  ///< nobody asks any more until an operator says so
};
struct StoredRead {
    std::string reaction;
    EventId event;
    std::string name;
};

struct Stored {
    core::SagaRow saga;
    std::vector<core::StepRow> steps;
    std::vector<core::Arrived> arrived;
    std::vector<StoredParked> parked;
    std::vector<StoredTimer> timers;
    std::vector<StoredCall> calls;
    std::vector<StoredRead> reads;
    bool locks = false;

    core::SagaState load() const;
    const core::StepRow* step(std::string_view name, const EventId& run = {}) const;
};

/// Everything that the rules know of a saga, in an order of its own: equal texts, equal knowledge.
std::string text_of(core::SagaState state);
std::string text_of(const Stored& stored);

/// A handler that the rules want run.
struct Handling {
    std::string name;  ///< "run take", "settle take", "undo take", "settle undo take", "fire take",
                       ///< "react OrderPlaced"
    const detail::StepCode* step = nullptr;  ///< null: a reaction
    bool forward = true;                     ///< of a run: what started it
};

struct Published {
    detail::Type type = nullptr;
    Kind kind = Kind::done;
    std::string because, step;
    core::Role role = core::Role::outcome;
    std::uint32_t slot = 0;
    EventId run;
};

class MemoryHost final : public core::Host {
  public:
    using Handler = std::function<core::Attempt(const Handling&)>;
    MemoryHost(const detail::Contract& contract, Stored& stored, Handler handler)
        : contract_(contract), stored_(stored), handler_(std::move(handler)) {}

    std::vector<std::string> log;  ///< what was done, in words
    std::vector<Published> published;

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
    core::Attempt handle(Handling handling);
    std::vector<StoredCall>::iterator call_of(const core::StepRow& row, core::Part part);
    const detail::Contract& contract_;
    Stored& stored_;
    Handler handler_;
};

}  // namespace saga::test
