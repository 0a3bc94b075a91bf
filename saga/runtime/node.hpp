// One instance of a service: everything but its thread.
#pragma once

#include <limits>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include "saga/runtime/caller.hpp"
#include "saga/runtime/desk.hpp"
#include "saga/runtime/link.hpp"
#include "saga/runtime/pruner.hpp"
#include "saga/store/reserve.hpp"

namespace saga::runtime {

/// Driven by turn(), on one thread: run() does it by waiting, a simulator as it likes.
class Node final : public bus::Listener {
  public:
    struct Options {
        std::string instance;  ///< a nonce of this process: [A-Za-z0-9]{1,64}
        std::string version = "0.1.0";
        std::string where;                        ///< host and process, for operators
        std::string contract;                     ///< JSON, published in SAGA_CONTRACTS; empty: not
        std::string key_path = {}, backups = {};  ///< a file and a folder, for backups
        std::uint64_t reserve_bytes = 0;          ///< of its disk; 0: none
        bool rebuild = false, accept_history_loss = false;
        Worker::Options worker;
        Pruner::Horizons horizons;
        Room room = {};  ///< for what is to be published
    };
    Node(const Contract& contract, store::Store& store, const core::IdKey& key, bus::Bus& bus,
         Clock& clock, Random& random, Caller& caller, Options options);

    /// One bounded round: what has come, one transaction, what is to be sent. Returns when the next
    /// one is due unless something comes before. Throws what stops the process, in one sentence.
    /// The transaction has the worker's batch of items at most, and no more than `items`.
    bus::Steady turn(std::size_t items = std::numeric_limits<std::size_t>::max());

    /// Begins to stop: takes nothing new, finishes what is on its way.
    void drain();
    bool drained() const { return undone().empty(); }
    /// What is still to be finished, or nothing.
    std::string undone() const;
    /// After drain(), on time or not: notes that the stop was clean, gives the name back.
    void stop();

    bool ready() const { return trouble().empty(); }
    /// Why the service takes no commands, or nothing.
    std::string trouble() const;
    std::string state_json() const;
    /// While it has not read all that came when it was away: how much there is to read; 1 while
    /// more came of it than could be sent yet.
    std::uint64_t backlog() const;
    const Worker& worker() const { return worker_; }
    const Reader& reader() const { return reader_; }
    const Link& link() const { return link_; }

    // bus::Listener
    void connected(const bus::Server& server) override;
    void disconnected(std::string_view why) override;
    void denied(std::string_view what) override;
    void delivered(bus::StoredMessage message, std::uint64_t nth, std::uint64_t pending) override;
    void heartbeat(std::uint64_t nth, std::uint64_t stream_seq) override;
    void pull_ended(std::uint64_t pull, const bus::PullEnd& end) override;
    void consumer_lost(std::string_view why) override;
    void acked(bus::Channel channel, std::uint64_t token, const bus::PubAck& ack) override;
    void refused(bus::Channel channel, const bus::Problem& problem) override;
    void requested(bus::Request request) override;

  private:
    std::uint64_t lag() const { return reader_.pending() + in_.messages.size(); }
    bool may_act() const;
    bool alone() const;
    void gather();
    void work(std::size_t items);
    void try_disk();
    void confirm_head();
    void start_calls();
    void start_call(store::Calls::Row row, const detail::Code& code);
    void answer_call(std::int64_t call, std::string why, bool last);
    void answered_calls(std::span<const std::int64_t> calls);
    void spare_calls();
    void introduce();
    void listen();
    void prune();
    bool make_room();
    [[noreturn]] void refuse(const std::string& why);
    void disk_full(const store::DiskFull& full);
    bus::Steady next_turn() const;
    bus::Steady steady_of(Time due) const;
    void look_ahead();

    const Contract& contract_;
    store::Store& store_;
    const core::IdKey& key_;
    bus::Bus& bus_;
    Clock& clock_;
    Caller& caller_;
    Options options_;
    core::Instance self_;  // the service, with its shard
    std::string name_;     // of it

    store::Reserve reserve_;
    Timeline timeline_;
    Inbound in_;
    Relay relay_;
    Worker worker_;
    Reader reader_;
    Ownership ownership_;
    Link link_;
    Backups backups_;
    Desk desk_;
    Pruner pruner_;

    bus::Steady now_{}, expected_ = bus::Steady::max();  // when the next turn is due
    bool draining_ = false, more_ = false, probing_ = false, introduced_ = false,
         listening_ = false;
    std::optional<Time> next_retry_, next_timer_, next_call_;
    std::set<std::int64_t> running_;  // calls that are being made
    std::map<std::int64_t, bus::Steady>
        counted_;           // those that may yet kill the process; since when
    bool suspect_ = false;  // the one in counted_ was there at a death
    bus::Steady full_until_{}, next_prune_{}, next_move_{}, next_introduction_{};
    std::string disk_;
    std::string denied_;
};

}  // namespace saga::runtime
