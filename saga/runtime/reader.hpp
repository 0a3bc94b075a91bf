// Reads the stream in order, from a position that is ours and not the broker's.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "saga/bus/bus.hpp"

namespace saga::runtime {

/// An ack-less pull consumer that is made anew whenever anything is not as it should be: a gap in
/// what it delivers, a missed heartbeat, a new connection. What take() yields has no gap.
class Reader {
  public:
    /// `consumer` is the name under which operators see how far the service is.
    /// `inactive`: how long it outlives its last request.
    Reader(bus::Bus& bus, std::string consumer,
           std::chrono::nanoseconds inactive = core::kConsumerInactive)
        : bus_(bus), consumer_(std::move(consumer)), inactive_(inactive) {}

    /// Everything from `from` on that one of the filters takes. What was read and not taken is
    /// forgotten.
    void open(std::uint64_t from, std::vector<std::string> filters, bus::Steady now);
    void close();
    bool is_open() const { return state_ == State::open; }

    /// Asks for more where there is room for it, and looks whether the broker still answers.
    void tick(bus::Steady now);
    bus::Steady next_tick() const;

    std::deque<bus::StoredMessage> take() {
        ready_bytes_ = 0;
        return std::exchange(ready_, {});
    }
    /// Tells how many messages wait elsewhere, so that the reader does not run ahead.
    void set_waiting(std::size_t waiting, std::size_t bytes) {
        waiting_ = waiting;
        waiting_bytes_ = bytes;
    }
    bool has_ready() const { return !ready_.empty(); }  ///< There is something to take.
    /// All up to here was read, or passed over because no filter takes it.
    std::uint64_t read_to() const { return read_to_; }
    /// Nothing that matches was waiting when the broker last said something.
    bool at_head() const { return is_open() && ready_.empty() && pending_ == 0; }
    std::uint64_t pending() const { return pending_ + ready_.size(); }
    /// How many messages the consumer has delivered.
    std::uint64_t delivered() const { return nth_; }
    /// How often it had to be made anew since the start.
    std::uint64_t reopened() const { return reopened_; }
    const std::string& consumer() const { return consumer_; }
    const std::string& trouble() const { return trouble_; }  ///< Why it is not open.

    // From the bus.
    void on_message(bus::StoredMessage message, std::uint64_t nth, std::uint64_t pending,
                    bus::Steady now);
    void on_heartbeat(std::uint64_t nth, std::uint64_t stream_seq, bus::Steady now);
    void on_pull_ended(const bus::PullEnd& end, bus::Steady now);
    void on_lost(std::string_view why, bus::Steady now);

  private:
    enum class State : std::uint8_t { closed, opening, pausing, open };
    void reopen(std::string_view why, bus::Steady now);
    void remove_old(bus::Steady now);
    void create(bus::Steady now);
    void created(const bus::Result<bus::ConsumerState>& result, bus::Steady now);
    void ask();
    void forget_pulls();

    bus::Bus& bus_;
    std::string consumer_;
    std::chrono::nanoseconds inactive_;
    std::string trouble_ = "not opened yet";
    std::vector<std::string> filters_;
    State state_ = State::closed;
    std::uint64_t generation_ = 0;  // answers to an earlier one are nobody's
    std::uint64_t from_ = 1, nth_ = 0, read_to_ = 0, pending_ = 0, reopened_ = 0;
    std::uint64_t last_pull_ = 0;
    /// Messages that pull requests have asked for and that may still come. (No message says which
    /// request it answers.) Too high by what was left of a request that came to its last byte
    /// exactly: after two of these in one consumer's life the heartbeats may stop, and it is made
    /// anew.
    std::uint64_t owed_ = 0;
    bool large_ = false;  // the next message is larger than any request that has a bound
    std::deque<bus::StoredMessage> ready_;
    std::size_t ready_bytes_ = 0, waiting_ = 0, waiting_bytes_ = 0;
    bool fresh_ = false;    // made since the last tick(): nothing was due before
    bus::Steady heard_;     // of the broker, while open; when to try again, while pausing
    bus::Steady ticked_{};  // the last tick() while open
};

}  // namespace saga::runtime
