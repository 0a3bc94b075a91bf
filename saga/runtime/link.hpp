// From a new connection to reading in order, and the watch that the stream stays the one we read.
#pragma once

#include <optional>
#include <set>
#include <string>

#include "saga/runtime/clock.hpp"
#include "saga/runtime/ownership.hpp"
#include "saga/runtime/reader.hpp"
#include "saga/runtime/relay.hpp"
#include "saga/runtime/worker.hpp"

namespace saga::runtime {

/// What the steps of a connection are, in their order. Each begins when the one before is done.
enum class LinkState : std::uint8_t {
    down,       ///< no connection
    owning,     ///< is the name ours?
    judging,    ///< is the stream the one that we have read? If not: rewind
    recording,  ///< until level: what did we publish that our outbox does not know?
    backfill,   ///< reactions of a new release read what they missed
    reading,    ///< business
};

class Link {
  public:
    struct Options {
        bool accept_history_loss = false;  ///< an operator's word: go on behind what is gone
        bool rebuild = false;
    };
    /// `in` holds what was read and not handled: it is forgotten with the connection.
    Link(bus::Bus& bus, store::Store& store, Worker& worker, Relay& relay, Reader& reader,
         Ownership& ownership, Inbound& in, const Contract& contract, Options options);

    void connected(const bus::Server& server, bus::Steady now);
    void disconnected();
    /// A step of it came to nothing (the disk was full): from the stream's judgement on, again.
    void start_over(bus::Steady now);
    /// Whether the name is still ours, when that is due; writes nothing.
    void look(bus::Steady now);
    /// Goes on with whatever is due; may write to the database, between two rounds.
    void tick(bus::Steady now, Time time);
    bus::Steady next_tick() const;

    LinkState state() const { return state_; }
    /// The stream is the one that we have read.
    bool judged() const { return state_ == LinkState::reading; }
    /// And what the reader yields counts.
    bool reading() const { return judged() && consumer_ == Consumer::judged; }
    /// It was reading once since the start: what the world knows of us is known here.
    bool began() const { return !first_; }
    /// Why this process must stop, or cannot go on without an operator, in one sentence.
    const std::optional<std::string>& refusal() const { return refusal_; }
    /// Why it is not reading.
    std::string trouble() const;
    /// With what the stream ended when this process began to read: up to there is what came while
    /// the service was away.
    std::uint64_t missed_to() const { return missed_to_; }
    std::uint64_t rewinds() const { return rewinds_; }
    const bus::Server& server() const { return server_; }

  private:
    void look_at_consumer();
    void judge();
    void judged(const bus::StreamInfo& info, const core::Position& read);
    core::Position here(std::uint64_t seq) const;
    void forget_holes();
    void never_read();
    void history_lost();
    void adopt();
    bool again(std::string_view suspicion);
    void look_below(std::uint64_t seq);
    void looked_at(const core::Checkpoint& checkpoint,
                   const bus::Result<bus::StoredMessage>& result);
    void sound();
    void read_again();
    void look_where_we_are();
    void go_back_to(std::uint64_t seq);
    void lose_above(std::uint64_t seq);

    void record();
    void record_more();
    void backfill();
    void backfill_more(Time time);
    void read();
    void failed(const bus::Problem& problem);
    void close(std::string why);

    bus::Bus& bus_;
    store::Store& store_;
    Worker& worker_;
    Relay& relay_;
    Reader& reader_;
    Ownership& ownership_;
    Inbound& in_;
    const Contract& contract_;
    Options options_;

    LinkState state_ = LinkState::down;
    bus::Server server_;
    bus::Steady now_{}, next_judgement_ = bus::Steady::max();
    bus::StreamInfo stream_;
    bool judging_ = false, first_ = true, confirmed_ = false;
    /// Whether the stream was judged with our consumer in it.
    enum class Consumer : std::uint8_t { unjudged, being_judged, judged };
    Consumer consumer_ = Consumer::unjudged;
    std::string suspicion_;        // seen once: looked at again before anything is rewound
    std::uint64_t judgement_ = 0;  // answers about an earlier one are nobody's
    std::uint64_t rewinds_ = 0, reopened_ = 0, missed_to_ = 0;
    std::set<std::string> missed_reactions_;
    std::optional<std::string> refusal_;
    std::string trouble_;
};

}  // namespace saga::runtime
