#include "saga/runtime/relay.hpp"

#include <algorithm>
#include <saga/error.hpp>

#include "saga/core/limits.hpp"
#include "saga/core/subject.hpp"
#include "saga/store/failpoint.hpp"

namespace saga::runtime {

void Relay::reload() {
    passed_to_ = 0;
    overdue_until_ = {};
    for (Lane& lane : lanes_) {
        lane.outgoing.clear();
        lane.loaded_to = 0;
        lane.more = true;
        load_more(lane);
    }
}

bool Relay::has_room(const Lane& lane) const {
    const core::Outgoing& rows = lane.outgoing;
    return rows.unacknowledged() < room_.unsent && rows.bytes() < room_.unsent_bytes &&
           rows.unsettled() < room_.unsettled;
}

void Relay::load_more(Lane& lane) {
    const bool letters = lane.channel == bus::Channel::letters;
    if (!has_room(lane)) return;
    lane.more = outbox_.visit_unsettled(lane.loaded_to, letters, [&](std::int64_t seq) {
        if (!lane.outgoing.has(seq)) admit(lane, *outbox_.row(seq));
        lane.loaded_to = seq;
        return has_room(lane);
    });
}

void Relay::add(std::vector<store::OutboxRow> rows) {
    for (store::OutboxRow& row : rows) {
        Lane& lane = lanes_[core::is_dead_letter(row.subject) ? 1 : 0];
        lane.more = lane.more || !has_room(lane);
        if (!lane.more) admit(lane, std::move(row));
    }
}

void Relay::admit(Lane& lane, store::OutboxRow row) {
    lane.loaded_to = row.seq;
    lane.outgoing.add({.seq = row.seq,
                       .saga = row.saga,
                       .message = {std::move(row.subject), std::move(row.envelope)}});
}

void Relay::connected(std::uint64_t head) {
    for (Lane& lane : lanes_) {
        lane.outgoing.connected(head);
        lane.connected = true;
        lane.pause = {};
    }
}

void Relay::disconnected() {
    for (Lane& lane : lanes_) {
        lane.connected = false;
        lane.outgoing.restart();
    }
}

void Relay::on_acked(bus::Channel channel, std::int64_t seq, const bus::PubAck& ack,
                     bus::Steady now) {
    SAGA_FAILPOINT(acked);
    Lane& lane = this->lane(channel);
    lane.progress = now;
    if (!lane.outgoing.acked(seq, ack.seq)) return;
    if (channel == bus::Channel::letters) {
        lane.outgoing.settled(seq);
        stored_letters_.emplace_back(seq, ack.seq);
        return;
    }
    // The broker knows it, at a place that was read without it: a message that was removed. It is
    // asked again until it has forgotten the id.
    if (overdue_until_ == bus::Steady{} && events().overdue(passed_to_))
        overdue_until_ = now + core::kPubAckTimeout;
}

void Relay::on_refused(bus::Channel channel, const bus::Problem& problem, bus::Steady now) {
    Lane& lane = this->lane(channel);
    trouble_ = problem.text;
    lane.outgoing.restart();
    lane.pause = now + core::kPublishPause;
}

void Relay::passed(std::uint64_t cursor) {
    passed_to_ = cursor;
    send_lost_again();
}

void Relay::send_lost_again() {
    Lane& lane = this->lane(bus::Channel::events);
    const auto [rows, again_from] = lane.outgoing.passed(passed_to_, 2 * room_.unsent);
    sent_again_ += rows;
    if (!again_from) return;
    lane.loaded_to = std::min(lane.loaded_to, *again_from - 1);
    lane.more = true;
}

void Relay::pump(bus::Steady now) {
    if (!held_ && overdue_until_ != bus::Steady{} && now >= overdue_until_) {
        overdue_until_ = {};
        send_lost_again();
    }
    for (Lane& lane : lanes_) {
        if (lane.more) load_more(lane);
        if (!held_) pump(lane, now);
    }
}

void Relay::pump(Lane& lane, bus::Steady now) {
    core::Outgoing& outgoing = lane.outgoing;
    if (!lane.connected || now < lane.pause) return;
    if (outgoing.in_flight() > 0 && now - lane.progress > core::kPubAckTimeout)
        on_refused(lane.channel, {bus::Trouble::timeout, 0, "the broker did not confirm in time"},
                   now);
    if (now < lane.pause) return;
    lane.pause = {};
    if (outgoing.in_flight() == 0) lane.progress = now;
    while (outgoing.in_flight() < core::kMaxInFlight) {
        const std::optional<std::int64_t> seq = outgoing.next();
        if (!seq) break;
        send(lane, *seq);
    }
}

void Relay::send(Lane& lane, std::int64_t seq) {
    const core::Outgoing::Message& message = lane.outgoing.message(seq);
    if (message.envelope.empty()) {  // acknowledged once, and lost since
        auto row = outbox_.row(seq);
        SAGA_ASSERT(row.has_value());  // an unsettled row is never pruned
        lane.outgoing.put(seq, {std::move(row->subject), std::move(row->envelope)});
    }
    const auto read = core::decode(message.envelope);
    const auto* envelope = std::get_if<core::Envelope>(&read);
    SAGA_ASSERT(envelope != nullptr);  // we made it
    SAGA_FAILPOINT(sending);
    bus_.publish(lane.channel, static_cast<std::uint64_t>(seq), message.subject,
                 core::headers_of(*envelope), message.envelope);
    ++sent_;
}

bus::Steady Relay::next_pump() const {
    bus::Steady next = bus::Steady::max();
    if (held_) return next;
    if (overdue_until_ != bus::Steady{}) next = overdue_until_;
    for (const Lane& lane : lanes_) {
        if (!lane.connected) continue;
        if (lane.outgoing.in_flight() > 0)
            next = std::min(next, lane.progress + core::kPubAckTimeout);
        if (lane.outgoing.unsent() > 0 && lane.pause != bus::Steady{})
            next = std::min(next, lane.pause);
    }
    return next;
}

std::vector<std::pair<std::int64_t, std::uint64_t>> Relay::take_stored_letters() {
    return std::exchange(stored_letters_, {});
}

bool Relay::idle() const {
    return std::all_of(std::begin(lanes_), std::end(lanes_), [](const Lane& lane) {
        return lane.outgoing.unsent() == 0 && lane.outgoing.in_flight() == 0;
    });
}

}  // namespace saga::runtime
