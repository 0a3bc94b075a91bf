#include "saga/core/outgoing.hpp"

#include <saga/error.hpp>

namespace saga::core {

void Outgoing::add(const Row& row) {
    const auto [at, fresh] = rows_.try_emplace(row.seq, Entry{row});
    if (!fresh) return;
    ids_.emplace(row.id, row.seq);
    wait(at->second);
}

void Outgoing::connected(std::uint64_t head) {
    restart();
    awaited_.clear();
    for (auto& [seq, entry] : rows_) {
        if (entry.state != State::acked) continue;
        await(entry, head);
        if (entry.row.saga == 0) continue;
        Queue& queue = queues_[entry.row.saga];
        queue.doubtful.insert(seq);
        offer(queue);
    }
}

std::optional<std::int64_t> Outgoing::next() {
    if (ready_.empty()) return std::nullopt;
    const std::int64_t seq = *ready_.begin();
    ready_.erase(ready_.begin());
    Entry& entry = rows_.at(seq);
    if (entry.row.saga != 0) {
        Queue& queue = queues_.at(entry.row.saga);
        queue.waiting.erase(seq);
        queue.flying = seq;
        queue.offered = 0;
    }
    entry.state = State::flying;
    ++in_flight_;
    --unsent_;
    return seq;
}

void Outgoing::acked(std::int64_t seq, std::uint64_t stream_seq) {
    const auto at = rows_.find(seq);
    if (at == rows_.end() || at->second.state != State::flying) return;
    leave(at->second);
    await(at->second, stream_seq);
}

void Outgoing::restart() {
    if (in_flight_ == 0) return;
    for (auto& [seq, entry] : rows_) {
        if (entry.state != State::flying) continue;
        leave(entry);
        wait(entry);
    }
}

std::optional<std::int64_t> Outgoing::settled(const EventId& id) {
    const auto known = ids_.find(id);
    if (known == ids_.end()) return std::nullopt;
    const std::int64_t seq = known->second;
    forget(seq);
    return seq;
}

void Outgoing::stands(const EventId& id, std::uint64_t stream_seq) {
    const auto known = ids_.find(id);
    if (known == ids_.end()) return;
    Entry& entry = rows_.at(known->second);
    leave(entry);
    await(entry, stream_seq);
}

void Outgoing::forget(std::int64_t seq) {
    const auto at = rows_.find(seq);
    if (at == rows_.end()) return;
    leave(at->second);
    ids_.erase(at->second.row.id);
    rows_.erase(at);
}

std::size_t Outgoing::passed(std::uint64_t cursor) {
    std::size_t lost = 0;
    while (!awaited_.empty() && awaited_.begin()->first <= cursor) {
        Entry& entry = rows_.at(awaited_.begin()->second);
        leave(entry);
        wait(entry);
        ++lost;
    }
    return lost;
}

void Outgoing::clear() {
    *this = Outgoing();
}

/// Puts the row among those that are to be sent.
void Outgoing::wait(Entry& entry) {
    entry.state = State::waiting;
    ++unsent_;
    if (entry.row.saga == 0) {
        ready_.insert(entry.row.seq);
        return;
    }
    Queue& queue = queues_[entry.row.saga];
    queue.waiting.insert(entry.row.seq);
    offer(queue);
}

void Outgoing::await(Entry& entry, std::uint64_t stream_seq) {
    entry.state = State::acked;
    entry.awaited = stream_seq;
    awaited_.emplace(stream_seq, entry.row.seq);
}

/// Takes the row out of whatever it stands in; its state is for the caller to set.
void Outgoing::leave(Entry& entry) {
    if (entry.state == State::acked) awaited_.erase({entry.awaited, entry.row.seq});
    if (entry.state == State::flying) --in_flight_;
    if (entry.state == State::waiting) --unsent_;
    if (entry.row.saga == 0) {
        ready_.erase(entry.row.seq);
        return;
    }
    const auto queue = queues_.find(entry.row.saga);
    if (queue == queues_.end()) return;
    auto& [waiting, doubtful, flying, offered] = queue->second;
    if (flying == entry.row.seq) flying = 0;
    waiting.erase(entry.row.seq);
    doubtful.erase(entry.row.seq);
    offer(queue->second);
    if (waiting.empty() && doubtful.empty() && flying == 0) queues_.erase(queue);
}

/// The saga's oldest waiting row may go, unless one before it has to be waited for.
void Outgoing::offer(Queue& queue) {
    auto& [waiting, doubtful, flying, offered] = queue;
    const std::int64_t oldest = waiting.empty() ? 0 : *waiting.begin();
    const bool held = flying != 0 || (!doubtful.empty() && *doubtful.begin() < oldest);
    const std::int64_t may_go = held ? 0 : oldest;
    if (may_go == offered) return;
    if (offered != 0) ready_.erase(offered);
    if (may_go != 0) ready_.insert(may_go);
    offered = may_go;
}

}  // namespace saga::core
