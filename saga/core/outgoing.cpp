#include "saga/core/outgoing.hpp"

#include <algorithm>
#include <utility>

namespace saga::core {

void Outgoing::add(Row row) {
    if (awaited_.has(row.seq)) return;
    const auto [at, fresh] = rows_.try_emplace(row.seq, Entry{.saga = row.saga});
    if (!fresh) return;
    put(row.seq, std::move(row.message));
    wait(row.seq, at->second);
}

void Outgoing::put(std::int64_t seq, Message message) {
    Message& here = rows_.at(seq).message;
    bytes_ += message.envelope.size() - here.envelope.size();
    here = std::move(message);
}

void Outgoing::connected(std::uint64_t head) {
    restart();
    awaited_.doubt(head);
    for (const auto& [saga, queue] : queues_) offer(saga);
}

std::optional<std::int64_t> Outgoing::next() {
    if (ready_.empty()) return std::nullopt;
    const std::int64_t seq = *ready_.begin();
    ready_.erase(ready_.begin());
    Entry& entry = rows_.at(seq);
    if (entry.saga != 0) {
        Queue& queue = queues_.at(entry.saga);
        queue.waiting.erase(seq);
        queue.flying = seq;
        queue.offered = 0;
    }
    entry.flying = true;
    ++in_flight_;
    return seq;
}

bool Outgoing::acked(std::int64_t seq, std::uint64_t stream_seq) {
    const auto at = rows_.find(seq);
    if (at == rows_.end() || !at->second.flying) return false;
    stands(seq, stream_seq);
    return true;
}

void Outgoing::restart() {
    for (auto at = rows_.begin(); in_flight_ > 0; ++at) {
        auto& [seq, entry] = *at;
        if (!entry.flying) continue;
        entry.flying = false;
        --in_flight_;
        if (entry.saga != 0) queues_.at(entry.saga).flying = 0;
        wait(seq, entry);
    }
}

void Outgoing::settled(std::int64_t seq) {
    const auto at = rows_.find(seq);
    if (at != rows_.end()) return leave(at);
    const auto left = awaited_.take(seq);
    if (left && left->doubtful) offer(left->saga);
}

void Outgoing::stands(std::int64_t seq, std::uint64_t stream_seq) {
    const auto at = rows_.find(seq);
    if (at == rows_.end()) return;
    const std::int64_t saga = at->second.saga;
    leave(at);
    awaited_.add(seq, saga, stream_seq);
}

Outgoing::Lost Outgoing::passed(std::uint64_t cursor, std::size_t most) {
    const std::size_t room = most - std::min(most, rows_.size());
    const bool stay = awaited_.overdue(cursor, room + 1) <= room;
    Lost lost;
    const auto leaves = [&](std::int64_t seq) {
        lost.again_from = std::min(lost.again_from.value_or(seq), seq);
    };
    for (; const auto seq = awaited_.overdue(cursor); ++lost.rows) {
        const std::int64_t saga = awaited_.take(*seq)->saga;
        if (stay)
            wait(*seq, rows_.try_emplace(*seq, Entry{.saga = saga}).first->second);
        else
            leaves(*seq);
    }
    if (stay) return lost;
    // What waits leaves with them: of a saga the older row goes first.
    for (auto at = rows_.begin(); at != rows_.end();) {
        const auto row = at++;
        if (row->second.flying) continue;
        leaves(row->first);
        leave(row);
    }
    return lost;
}

void Outgoing::clear() {
    *this = Outgoing();
}

/// Puts the row among those that are to be sent.
void Outgoing::wait(std::int64_t seq, const Entry& entry) {
    if (entry.saga == 0) {
        ready_.insert(seq);
        return;
    }
    queues_[entry.saga].waiting.insert(seq);
    offer(entry.saga);
}

/// Takes the row out of whatever it stands in.
void Outgoing::leave(Rows::iterator at) {
    const std::int64_t seq = at->first, saga = at->second.saga;
    if (at->second.flying) --in_flight_;
    bytes_ -= at->second.message.envelope.size();
    rows_.erase(at);
    if (saga == 0) {
        ready_.erase(seq);
        return;
    }
    Queue& queue = queues_.at(saga);
    if (queue.flying == seq) queue.flying = 0;
    queue.waiting.erase(seq);
    offer(saga);
    if (queue.waiting.empty() && queue.flying == 0) queues_.erase(saga);
}

/// The saga's oldest waiting row may go, unless one before it has to be waited for.
void Outgoing::offer(std::int64_t saga) {
    const auto at = queues_.find(saga);
    if (at == queues_.end()) return;
    auto& [waiting, flying, offered] = at->second;
    const std::int64_t oldest = waiting.empty() ? 0 : *waiting.begin();
    const auto doubtful = awaited_.oldest_doubtful(saga);
    const bool held = flying != 0 || (doubtful && *doubtful < oldest);
    const std::int64_t may_go = held ? 0 : oldest;
    if (may_go == offered) return;
    if (offered != 0) ready_.erase(offered);
    if (may_go != 0) ready_.insert(may_go);
    offered = may_go;
}

}  // namespace saga::core
