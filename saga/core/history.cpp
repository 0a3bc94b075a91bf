#include "saga/core/history.hpp"

#include <algorithm>
#include <bit>
#include <iterator>
#include <saga/error.hpp>

#include "saga/core/limits.hpp"

namespace saga::core {

void Checkpoints::add(const Checkpoint& checkpoint) {
    SAGA_ASSERT(all_.empty() || checkpoint.seq > all_.back().seq);
    all_.push_back(checkpoint);
    // Thinned now and then: a list twice as long costs nothing, a pass for every batch would.
    if (all_.size() >= 2 * kRecentCheckpoints) thin();
}

/// Of those beyond the recent ones keeps the oldest at each doubling distance from the newest: as
/// the newest moves on, it drifts into the next distance and stays.
void Checkpoints::thin() {
    const std::uint64_t newest = all_.back().seq;
    const std::size_t old = all_.size() - kRecentCheckpoints;
    std::vector<Checkpoint> kept;
    int last_distance = -1;
    for (std::size_t i = 0; i < all_.size(); ++i) {
        const int distance = std::bit_width(newest - all_[i].seq);
        if (i < old && distance == last_distance) {
            superfluous_.push_back(all_[i].seq);
            continue;
        }
        last_distance = distance;
        kept.push_back(all_[i]);
    }
    all_ = std::move(kept);
}

std::vector<std::uint64_t> Checkpoints::take_superfluous() {
    return std::exchange(superfluous_, {});
}

void Checkpoints::forget_above(std::uint64_t seq) {
    std::erase_if(all_, [&](const Checkpoint& checkpoint) { return checkpoint.seq > seq; });
}

std::optional<Checkpoint> Checkpoints::newest() const {
    return all_.empty() ? std::nullopt : std::optional(all_.back());
}

std::optional<Checkpoint> Checkpoints::newest_below(std::uint64_t seq) const {
    const auto next = std::ranges::lower_bound(all_, seq, {}, &Checkpoint::seq);
    return next == all_.begin() ? std::nullopt : std::optional(*std::prev(next));
}

Verdict judge(const StreamState& stream, const Position& position) {
    if (position.created == StoreTime{}) return Verdict::sound;
    if (stream.created != position.created) return Verdict::remade;
    const bool hole = changed_hole(stream, position) != 0;
    if (stream.last_seq < position.seq) return hole ? Verdict::hole : Verdict::went_back;
    if (stream.first_seq > position.seq + 1) return Verdict::history_lost;
    return hole ? Verdict::hole : Verdict::sound;
}

std::uint64_t changed_hole(const StreamState& stream, const Position& position) {
    const bool counted = stream.deleted > stream.holes.size();
    const std::uint64_t listed_to = !counted               ? stream.last_seq
                                    : stream.holes.empty() ? 0
                                                           : stream.holes.back();
    std::vector<std::uint64_t> changed;
    std::ranges::set_symmetric_difference(stream.holes, position.holes,
                                          std::back_inserter(changed));
    const auto lowest = std::ranges::find_if(changed, [&](std::uint64_t seq) {
        return seq >= stream.first_seq && seq <= listed_to;  // else age took it, or the tail
    });
    if (lowest != changed.end()) return *lowest;
    // Behind the list one may be new, and one that was known may be gone with the tail.
    const bool more = stream.deleted > position.deleted || stream.last_seq < position.seq;
    if (!counted || !more) return 0;
    return stream.holes.empty() ? stream.first_seq : stream.holes.front();
}

bool can_look_at(const Checkpoint& checkpoint, const StreamState& stream) {
    return checkpoint.seq >= stream.first_seq;
}

bool holds(const Checkpoint& checkpoint, StoreTime stored_at, const EventId& id) {
    return checkpoint.stored_at == stored_at && checkpoint.id == id;
}

}  // namespace saga::core
