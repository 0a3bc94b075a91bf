#include "saga/runtime/relay.hpp"

#include <algorithm>
#include <saga/error.hpp>

#include "saga/core/limits.hpp"
#include "saga/store/failpoint.hpp"

namespace saga::runtime {

void Relay::reload() {
    for (Lane& lane : lanes_) lane.outgoing.clear();
    contents_.clear();
    content_bytes_ = 0;
    loaded_to_ = 0;
    passed_to_ = 0;
    overdue_until_ = {};
    more_ = true;
    load_more();
}

void Relay::load_more() {
    constexpr std::size_t kPage = 256;
    while (more_ && content_bytes_ < core::kMaxUnsentBytes &&
           events().unsettled() < core::kMaxUnsettled) {
        std::vector<store::OutboxRow> page = outbox_.unsettled_after(loaded_to_, kPage);
        more_ = page.size() == kPage;
        for (store::OutboxRow& row : page) admit(std::move(row));
    }
}

void Relay::add(std::vector<store::OutboxRow> rows) {
    for (store::OutboxRow& row : rows) {
        const bool room =
            content_bytes_ < core::kMaxUnsentBytes && events().unsettled() < core::kMaxUnsettled;
        more_ = more_ || !room;
        if (!more_) admit(std::move(row));
    }
}

void Relay::admit(store::OutboxRow row) {
    const bool letter = row.subject.starts_with("saga-dlq.");
    lanes_[letter ? 1 : 0].outgoing.add({.seq = row.seq, .saga = row.saga, .id = row.id});
    loaded_to_ = row.seq;
    content_bytes_ += row.envelope.size();
    contents_.insert_or_assign(row.seq, Content{std::move(row.subject), std::move(row.envelope)});
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
    lane.outgoing.acked(seq, ack.seq);
    // The broker knows it, at a place that was read without it: a message that was removed. It is
    // asked again until it has forgotten the id.
    if (overdue_until_ == bus::Steady{} && events().overdue(passed_to_))
        overdue_until_ = now + core::kPubAckTimeout;
    const auto content = contents_.find(seq);
    if (content == contents_.end()) return;
    content_bytes_ -= content->second.envelope.size();
    contents_.erase(content);
    if (channel == bus::Channel::letters) {
        lane.outgoing.forget(seq);
        stored_letters_.emplace_back(seq, ack.seq);
    }
}

void Relay::on_refused(bus::Channel channel, const bus::Problem& problem, bus::Steady now) {
    Lane& lane = this->lane(channel);
    trouble_ = problem.text;
    lane.outgoing.restart();
    lane.pause = now + core::kPublishPause;
}

void Relay::passed(std::uint64_t cursor) {
    passed_to_ = cursor;
    sent_again_ += events().passed(cursor);
}

void Relay::pump(bus::Steady now) {
    if (more_) load_more();
    if (held_) return;
    if (overdue_until_ != bus::Steady{} && now >= overdue_until_) {
        overdue_until_ = {};
        sent_again_ += events().passed(passed_to_);
    }
    for (Lane& lane : lanes_) pump(lane, now);
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
    auto content = contents_.find(seq);
    if (content == contents_.end()) {  // acknowledged once, and lost since
        auto row = outbox_.row(seq);
        SAGA_ASSERT(row.has_value());  // an unsettled row is never pruned
        content_bytes_ += row->envelope.size();
        content =
            contents_
                .insert_or_assign(seq, Content{std::move(row->subject), std::move(row->envelope)})
                .first;
    }
    const auto read = core::decode(content->second.envelope);
    const auto* envelope = std::get_if<core::Envelope>(&read);
    SAGA_ASSERT(envelope != nullptr);  // we made it
    SAGA_FAILPOINT(sending);
    bus_.publish(lane.channel, static_cast<std::uint64_t>(seq), content->second.subject,
                 core::headers_of(*envelope), content->second.envelope);
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
