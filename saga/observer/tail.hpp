// Follows the stream from a position that others keep, and notices when it is no longer the stream
// that was read.
#pragma once

#include <deque>
#include <optional>
#include <string>

#include "saga/observer/index.hpp"
#include "saga/runtime/reader.hpp"

namespace saga::observer {

/// What was read and what is read have to be one stream: another one, one that ends before the
/// position, has another message there, or has lost what was not read yet, is read from its
/// beginning. Each is seen twice before it counts, at each connection and every 10 s.
class Tail final : private bus::Listener {
  public:
    /// `consumer` is the name under which operators see it on the broker.
    Tail(bus::Bus& bus, std::string consumer);

    /// Hands over what has come and goes on with whatever is due; does not wait.
    void turn(bus::Steady now);
    bus::Steady next_turn() const;

    /// The stream is to be read from its beginning, which is there. Told once.
    std::optional<Index::Position> another() { return std::exchange(another_, std::nullopt); }
    /// Where to read on: before the first turn, after another(), and when what was taken is kept.
    void set_position(const Index::Position& position) { position_ = position; }

    std::deque<bus::StoredMessage> take() { return reader_.take(); }
    bool has_ready() const { return reader_.has_ready(); }
    /// All up to here was handed over; 0 while it does not read.
    std::uint64_t read_to() const { return reading() ? reader_.read_to() : 0; }
    bool reading() const { return state_ == State::reading && reader_.is_open(); }
    /// It has handed over all that the broker had.
    bool at_head() const { return reading() && reader_.at_head(); }
    std::uint64_t pending() const { return reader_.pending(); }
    std::string trouble() const;  ///< Why it is not reading.
    const std::string& server() const { return server_; }

  private:
    enum class State : std::uint8_t { down, judging, reading };

    void connected(const bus::Server& server) override;
    void disconnected(std::string_view why) override;
    void denied(std::string_view what) override;
    void delivered(bus::StoredMessage message, std::uint64_t nth, std::uint64_t pending) override;
    void heartbeat(std::uint64_t nth, std::uint64_t stream_seq) override;
    void pull_ended(std::uint64_t pull, const bus::PullEnd& end) override;
    void consumer_lost(std::string_view why) override;
    void acked(bus::Channel, std::uint64_t, const bus::PubAck&) override {}
    void refused(bus::Channel, const bus::Problem&) override {}
    void requested(bus::Request) override {}

    void judge();
    void judged(const bus::StreamInfo& info);
    void looked(const bus::Result<bus::StoredMessage>& result);
    void suspect();
    void begin_again();
    void sound();
    void failed(const bus::Problem& problem);

    bus::Bus& bus_;
    runtime::Reader reader_;
    State state_ = State::down;
    Index::Position position_, judged_;  // judged_: as it was when the broker was asked
    core::StreamState stream_;
    std::optional<Index::Position> another_;
    bool judging_ = false, suspected_ = false;
    std::uint64_t reopened_ = 0;
    bus::Steady now_{}, next_judgement_{};
    std::string server_, trouble_;
};

}  // namespace saga::observer
