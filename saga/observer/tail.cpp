#include "saga/observer/tail.hpp"

#include <algorithm>

#include "saga/core/limits.hpp"

namespace saga::observer {
namespace {

constexpr int kNoStream = 10059;
constexpr int kNoMessage = 10037;
constexpr auto kSecondLook = std::chrono::milliseconds(200);
constexpr auto kOutlives = std::chrono::seconds(30);  // the consumer, an observer that was killed

EventId id_of(const bus::StoredMessage& message) {
    const auto read = core::decode(message.bytes);
    const auto* envelope = std::get_if<core::Envelope>(&read);
    return envelope == nullptr ? EventId{} : envelope->id;
}

}  // namespace

Tail::Tail(bus::Bus& bus, std::string consumer)
    : bus_(bus), reader_(bus, std::move(consumer), kOutlives) {}

void Tail::turn(bus::Steady now) {
    now_ = now;
    bus_.poll(*this, now);
    if (state_ == State::down) return;
    // A consumer that was lost may have gone with its stream.
    if (std::exchange(reopened_, reader_.reopened()) != reader_.reopened()) next_judgement_ = now;
    if (!judging_ && !another_ && now >= next_judgement_) judge();
    reader_.tick(now);
}

bus::Steady Tail::next_turn() const {
    if (state_ == State::down) return bus::Steady::max();
    return std::min(judging_ ? bus::Steady::max() : next_judgement_, reader_.next_tick());
}

std::string Tail::trouble() const {
    if (state_ == State::down) return bus_.trouble().empty() ? "not connected" : bus_.trouble();
    if (!trouble_.empty()) return trouble_;
    return reading() ? "" : reader_.trouble();
}

void Tail::connected(const bus::Server& server) {
    server_ = server.url;
    state_ = State::judging;
    next_judgement_ = now_;
}

void Tail::disconnected(std::string_view) {
    state_ = State::down;
    judging_ = suspected_ = false;
    reader_.close();
}

void Tail::denied(std::string_view what) {
    trouble_ = "the broker does not permit that: " + std::string(what);
}

void Tail::delivered(bus::StoredMessage message, std::uint64_t nth, std::uint64_t pending) {
    reader_.on_message(std::move(message), nth, pending, now_);
}
void Tail::heartbeat(std::uint64_t nth, std::uint64_t stream_seq) {
    reader_.on_heartbeat(nth, stream_seq, now_);
}
void Tail::pull_ended(std::uint64_t, const bus::PullEnd& end) {
    reader_.on_pull_ended(end, now_);
}
void Tail::consumer_lost(std::string_view why) {
    reader_.on_lost(why, now_);
}

void Tail::judge() {
    judging_ = true;
    judged_ = position_;
    bus_.stream_info([this](const bus::Result<bus::StreamInfo>& result) {
        if (const auto* problem = std::get_if<bus::Problem>(&result)) return failed(*problem);
        judged(std::get<bus::StreamInfo>(result));
    });
}

void Tail::failed(const bus::Problem& problem) {
    judging_ = false;
    next_judgement_ = now_ + core::kPublishPause;
    trouble_ = problem.code == kNoStream
                   ? "there is no stream SAGA on this broker: make it with `saga bootstrap`"
                   : problem.text;
    if (problem.code != kNoStream || state_ == State::down) return;
    state_ = State::judging;
    reader_.close();
}

/// A hole in what was read loses nothing here: its services publish it again, and it comes again.
void Tail::judged(const bus::StreamInfo& info) {
    trouble_.clear();
    stream_ = info.state;
    if (judged_.created == core::StoreTime{}) {
        judging_ = false;
        return begin_again();
    }
    const core::Position position{judged_.created, judged_.seq, stream_.deleted, stream_.holes};
    if (core::judge(stream_, position) != core::Verdict::sound) return suspect();
    if (judged_.last.seq == 0 || !core::can_look_at(judged_.last, stream_)) return sound();
    bus_.message_at(judged_.last.seq, [this](const auto& result) { looked(result); });
}

void Tail::looked(const bus::Result<bus::StoredMessage>& result) {
    if (const auto* problem = std::get_if<bus::Problem>(&result))
        return problem->code == kNoMessage ? sound() : failed(*problem);
    const auto& message = std::get<bus::StoredMessage>(result);
    if (core::holds(judged_.last, message.stored_at, id_of(message))) return sound();
    suspect();
}

void Tail::suspect() {
    judging_ = false;
    if (!std::exchange(suspected_, true)) {
        next_judgement_ = now_ + kSecondLook;
        return;
    }
    begin_again();
}

void Tail::begin_again() {
    suspected_ = false;
    state_ = State::judging;
    reader_.close();
    another_ = {.created = stream_.created, .seq = stream_.first_seq - 1};
}

void Tail::sound() {
    judging_ = suspected_ = false;
    next_judgement_ = now_ + core::kStreamCheck;
    if (state_ != State::judging) return;
    state_ = State::reading;
    reader_.open(std::max(position_.seq + 1, stream_.first_seq), {"saga.>"}, now_);
}

}  // namespace saga::observer
