#include "saga/runtime/reader.hpp"

#include <algorithm>
#include <utility>

#include "saga/core/limits.hpp"

namespace saga::runtime {

void Reader::open(std::uint64_t from, std::vector<std::string> filters, bus::Steady now) {
    filters_ = std::move(filters);
    from_ = from;
    read_to_ = from - 1;
    take();
    remove_old(now);
}

void Reader::close() {
    ++generation_;
    state_ = State::closed;
    read_to_ = 0;  // what was read and not taken was not read
    take();
    forget_pulls();
}

/// Goes on behind the last message that was read.
void Reader::reopen(std::string_view why, bus::Steady now) {
    trouble_ = why;
    ++reopened_;
    from_ = read_to_ + 1;
    remove_old(now);
}

/// A consumer with our name and other settings would refuse to be made; one with the same would be
/// given back with what it had delivered already.
void Reader::remove_old(bus::Steady now) {
    state_ = State::opening;
    forget_pulls();
    const std::uint64_t mine = ++generation_;
    bus_.delete_consumer(consumer_, [this, mine, now](const auto&) {
        if (mine == generation_) create(now);  // whatever the answer: the new one tells
    });
}

void Reader::create(bus::Steady now) {
    const std::uint64_t mine = generation_;
    bus_.create_consumer(
        {.name = consumer_, .filters = filters_, .start_seq = from_, .inactive = inactive_},
        [this, mine, now](const bus::Result<bus::ConsumerState>& result) {
            if (mine == generation_) created(result, now);
        });
}

void Reader::created(const bus::Result<bus::ConsumerState>& result, bus::Steady now) {
    if (const auto* problem = std::get_if<bus::Problem>(&result)) {
        trouble_ = problem->text;
        state_ = State::pausing;
        heard_ = now + core::kPublishPause;
        return;
    }
    const auto& state = std::get<bus::ConsumerState>(result);
    if (state.delivered != 0) return remove_old(now);  // an old one: its position is not ours
    state_ = State::open;
    nth_ = 0;
    pending_ = state.pending;
    fresh_ = true;
    trouble_.clear();
    ask();
}

void Reader::tick(bus::Steady now) {
    if (state_ == State::pausing && now >= heard_) return reopen(trouble_, now);
    if (state_ != State::open) return;
    // Where nothing is asked for nothing is answered; and who was busy for long was not listening.
    const bool deaf = owed_ == 0 || now - ticked_ > core::kMissedHeartbeat;
    ticked_ = now;
    if (std::exchange(fresh_, false) || deaf) heard_ = now;
    if (now - heard_ > core::kMissedHeartbeat)
        return reopen("the broker did not say for too long that it is there", now);
    ask();
}

bus::Steady Reader::next_tick() const {
    if (state_ == State::pausing) return heard_;
    if (state_ == State::open) return fresh_ ? bus::Steady{} : heard_ + core::kMissedHeartbeat;
    return bus::Steady::max();
}

void Reader::forget_pulls() {
    owed_ = 0;
    large_ = false;
}

void Reader::ask() {
    const auto pull = [&](int batch, std::size_t max_bytes) {
        owed_ += static_cast<std::uint64_t>(batch);
        bus_.pull(consumer_, ++last_pull_,
                  {.batch = batch,
                   .max_bytes = max_bytes,
                   .expires = core::kPullExpires,
                   .heartbeat = core::kHeartbeat});
    };
    if (ready_.size() + waiting_ >= core::kMaxReady ||
        ready_bytes_ + waiting_bytes_ >= core::kMaxReadyBytes)
        return;
    if (std::exchange(large_, false)) pull(1, 0);
    while (owed_ <= (core::kPulls - 1) * core::kPullBatch) pull(core::kPullBatch, core::kPullBytes);
}

void Reader::on_message(bus::StoredMessage message, std::uint64_t nth, std::uint64_t pending,
                        bus::Steady now) {
    if (state_ != State::open) return;
    heard_ = now;
    if (nth != nth_ + 1) return reopen("a gap in what the consumer delivers", now);
    nth_ = nth;
    pending_ = pending;
    if (owed_ > 0) --owed_;
    if (message.seq <= read_to_) return;  // a follower that lags may begin too early
    read_to_ = message.seq;
    ready_bytes_ += message.bytes.size();
    ready_.push_back(std::move(message));
}

void Reader::on_heartbeat(std::uint64_t nth, std::uint64_t stream_seq, bus::Steady now) {
    if (state_ != State::open) return;
    heard_ = now;
    if (nth != nth_) return reopen("the last message of the consumer did not arrive", now);
    pending_ = 0;
    if (stream_seq > read_to_) read_to_ = stream_seq;
}

void Reader::on_pull_ended(const bus::PullEnd& end, bus::Steady now) {
    if (state_ != State::open) return;
    heard_ = now;
    const std::uint64_t left = end.left.value_or(core::kPullBatch);
    owed_ -= std::min(owed_, left);
    // Nothing of it came: the message does not fit into a whole request, and one alone takes it.
    if (end.too_large && left == core::kPullBatch) large_ = true;
}

void Reader::on_lost(std::string_view why, bus::Steady now) {
    if (state_ == State::open) reopen(why, now);
}

}  // namespace saga::runtime
