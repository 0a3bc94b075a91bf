// Publishes the outbox until each event was read back.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "saga/bus/bus.hpp"
#include "saga/core/limits.hpp"
#include "saga/core/outgoing.hpp"
#include "saga/store/outbox.hpp"

namespace saga::runtime {

/// What is kept in memory of each kind, events and dead letters; more waits in the database.
struct Room {
    std::size_t unsent = core::kMaxUnsent, unsent_bytes = core::kMaxUnsentBytes;
    std::size_t unsettled = core::kMaxUnsettled;
};

class Relay {
  public:
    Relay(bus::Bus& bus, store::Outbox& outbox, Room room = {})
        : bus_(bus), outbox_(outbox), room_(room) {}

    /// Rows of the stream SAGA that the worker settles when it reads them back.
    core::Outgoing& events() { return lanes_[0].outgoing; }

    /// Everything unsettled, from the database: at the start, after a rewind, after a rollback.
    void reload();
    /// Rows that were just committed.
    void add(std::vector<store::OutboxRow> rows);
    /// While held, nothing is sent: catching up, or not the owner.
    void hold(bool held) { held_ = held; }

    void connected(std::uint64_t head);
    void disconnected();
    void on_acked(bus::Channel channel, std::int64_t seq, const bus::PubAck& ack, bus::Steady now);
    void on_refused(bus::Channel channel, const bus::Problem& problem, bus::Steady now);
    /// The reader has handled everything up to `cursor`.
    void passed(std::uint64_t cursor);

    void pump(bus::Steady now);
    bus::Steady next_pump() const;

    /// Dead letters that the broker has stored: nobody reads them back, so their PubAck settles
    /// them, in the next transaction.
    std::vector<std::pair<std::int64_t, std::uint64_t>> take_stored_letters();

    /// Events wait in the database for which there is no room here.
    bool overflows() const { return lanes_[0].more; }
    bool idle() const;  ///< Nothing is to be sent, nothing is on its way.
    const std::string& trouble() const { return trouble_; }  ///< Of the last refusal; may be old.
    std::uint64_t sent() const { return sent_; }
    std::uint64_t sent_again() const { return sent_again_; }

  private:
    struct Lane {
        bus::Channel channel;
        core::Outgoing outgoing;
        std::int64_t loaded_to = 0;  ///< its rows up to here are in here, or settled
        bool more = false;           ///< there are further ones in the database
        bool connected = false;
        bus::Steady progress{};  ///< when something was sent first, or acknowledged last
        bus::Steady pause{};     ///< until then nothing is sent
    };
    Lane& lane(bus::Channel channel) { return lanes_[channel == bus::Channel::events ? 0 : 1]; }
    bool has_room(const Lane& lane) const;
    static void admit(Lane& lane, store::OutboxRow row);
    void load_more(Lane& lane);
    void send_lost_again();
    void pump(Lane& lane, bus::Steady now);
    void send(Lane& lane, std::int64_t seq);

    bus::Bus& bus_;
    store::Outbox& outbox_;
    const Room room_;
    Lane lanes_[2]{{.channel = bus::Channel::events}, {.channel = bus::Channel::letters}};
    std::uint64_t passed_to_ = 0;  // the reader has
    bus::Steady overdue_until_{};  // then rows that it passed without reading them go again
    bool held_ = true;
    std::vector<std::pair<std::int64_t, std::uint64_t>> stored_letters_;
    std::string trouble_;
    std::uint64_t sent_ = 0, sent_again_ = 0;
};

}  // namespace saga::runtime
