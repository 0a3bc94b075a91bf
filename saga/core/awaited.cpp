#include "saga/core/awaited.hpp"

#include <algorithm>

namespace saga::core {
namespace {

/// Where `value` belongs in what is sorted: mostly at the end.
template <typename All, typename Value, typename Less>
auto sorted_place(All& all, const Value& value, Less less) {
    if (all.empty() || less(all.back(), value)) return all.end();
    return std::lower_bound(all.begin(), all.end(), value, less);
}

constexpr auto kBefore = [](const auto& row, std::int64_t seq) { return row.seq < seq; };

/// The row, unless it is not here.
template <typename All>
auto row_of(All& all, std::int64_t seq) {
    const auto at = std::lower_bound(all.begin(), all.end(), seq, kBefore);
    return at == all.end() || at->seq != seq || at->gone == 1 ? nullptr : &*at;
}

}  // namespace

const Awaited::Row* Awaited::find(std::int64_t seq) const {
    return row_of(by_seq_, seq);
}

void Awaited::add(std::int64_t seq, std::int64_t saga, std::uint64_t place) {
    const Row row{seq, saga, place, 0, 0};
    const auto at = sorted_place(by_seq_, seq, kBefore);
    if (at != by_seq_.end() && at->seq == seq) {  // it was here once
        *at = row;
        --gone_;
    } else {
        by_seq_.insert(at, row);
    }
    const Place where{place, seq};
    by_place_.insert(sorted_place(by_place_, where, std::less<>()), where);
}

std::optional<Awaited::Left> Awaited::take(std::int64_t seq) {
    Row* row = row_of(by_seq_, seq);
    if (row == nullptr) return std::nullopt;
    const Left left{row->saga, row->doubtful == 1};
    row->gone = 1;
    ++gone_;
    if (left.doubtful && --doubtful_ == 0) decltype(doubted_)().swap(doubted_);  // with its memory
    tidy();
    return left;
}

void Awaited::tidy() {
    for (; !by_seq_.empty() && by_seq_.front().gone == 1; --gone_) by_seq_.pop_front();
    for (; !by_seq_.empty() && by_seq_.back().gone == 1; --gone_) by_seq_.pop_back();
    while (!by_place_.empty() && !stands(by_place_.front())) by_place_.pop_front();
}

/// Whether its row is here, and should be met there.
bool Awaited::stands(const Place& place) const {
    const Row* row = find(place.second);
    return row != nullptr && row->place == place.first;
}

void Awaited::doubt(std::uint64_t head) {
    by_place_.clear();
    doubted_.clear();
    for (Row& row : by_seq_) {
        if (row.gone == 1) continue;
        row.place = head;
        row.doubtful = 1;
        by_place_.emplace_back(head, row.seq);
        doubted_.emplace_back(row.saga, row.seq);
    }
    std::sort(doubted_.begin(), doubted_.end());
    doubtful_ = doubted_.size();
}

std::optional<std::int64_t> Awaited::oldest_doubtful(std::int64_t saga) const {
    auto at = std::lower_bound(doubted_.begin(), doubted_.end(), std::pair(saga, std::int64_t{0}));
    for (; at != doubted_.end() && at->first == saga; ++at) {
        const Row* row = find(at->second);
        if (row != nullptr && row->doubtful == 1) return row->seq;
    }
    return std::nullopt;
}

std::optional<std::int64_t> Awaited::overdue(std::uint64_t cursor) const {
    if (by_place_.empty() || by_place_.front().first > cursor) return std::nullopt;
    return by_place_.front().second;
}

std::size_t Awaited::overdue(std::uint64_t cursor, std::size_t most) const {
    std::size_t count = 0;
    for (const Place& place : by_place_) {
        if (place.first > cursor || count == most) break;
        if (stands(place)) ++count;
    }
    return count;
}

}  // namespace saga::core
