// How a node keeps its size, and what it does on a full disk.
#include "saga/runtime/node.hpp"

namespace saga::runtime {
namespace {

constexpr auto kPruneEvery = std::chrono::seconds(10);
constexpr auto kDiskPause = std::chrono::seconds(1);
constexpr std::size_t kCareful = 64;  // rows that one pruning step of a full disk looks at

}  // namespace

/// Also while there is other work: a service that never rests must not grow for ever.
void Node::prune() {
    if (now_ < next_prune_ || !may_act()) return;
    next_prune_ = pruner_.step(timeline_.now()) ? now_ : now_ + kPruneEvery;
    reserve_.take();
}

void Node::disk_full(const store::DiskFull& full) {
    reserve_.give_up();
    backups_.give_up(full.what());
    disk_ = full.what();
    full_until_ = now_ + kDiskPause;
}

/// After a full disk the room of the reserve is for forgetting alone. Business goes on when it can
/// be taken back, or when a good part of it has become free inside the file: the WAL has its room.
bool Node::make_room() {
    if (reserve_.held() || disk_.empty()) return true;
    const bool more = pruner_.step(timeline_.now(), kCareful);
    store_.db().reuse_wal();
    if (more) {
        full_until_ = now_;
        return false;
    }
    if (reserve_.take() || store_.db().free_bytes() >= reserve_.bytes() / 4) return true;
    full_until_ = now_ + kDiskPause;
    return false;
}

}  // namespace saga::runtime
