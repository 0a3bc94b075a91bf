#include "saga/runtime/pruner.hpp"

#include <algorithm>
#include <utility>

#include "saga/core/limits.hpp"
#include "saga/core/saga.hpp"
#include "saga/store/failpoint.hpp"

namespace saga::runtime {

bool Pruner::step(Time now, std::size_t most) {
    store_.db().begin();
    bool more = false;
    try {
        more = events(now - horizons_.outbox, most);
        more = sagas(now - horizons_.journal, now, most) || more;
        SAGA_FAILPOINT(pruning);
        store_.db().commit();
    } catch (...) {
        store_.rollback();
        throw;
    }
    return more;
}

bool Pruner::finished(std::int64_t saga) {
    const core::SagaState state = store_.load(saga);
    return state.row.key == 0 || core::finished(contract_, state);
}

/// Finished here; or nothing was ever to be done here, and its last word need not have come: no
/// reaction waits.
bool Pruner::over(const store::Pruning::OldSaga& saga) {
    const core::SagaState state = store_.load(saga.key);
    return core::finished(contract_, state) || (saga.only_read && state.parked.empty());
}

/// Settled, of a finished saga, and old: a reader that was away for longer has lost it anyway.
bool Pruner::events(Time before, std::size_t most) {
    const auto rows = store_.pruning.events(after_event_, most);
    std::int64_t from = store_.meta.number(store::Meta::kOutboxFrom);
    const std::int64_t was = from;
    bool young = false;
    for (const store::Pruning::OldEvent& row : rows) {
        young = row.at >= before;
        if (young) break;
        after_event_ = row.seq;
        if (!row.settled || !finished(row.saga)) continue;
        from = std::max(from, row.at.time_since_epoch().count() + 1);
        store_.pruning.erase_event(row.seq);
        ++pruned_;
    }
    if (from != was) store_.meta.set(store::Meta::kOutboxFrom, from);
    if (young || rows.size() < most) after_event_ = 0;
    return after_event_ != 0;
}

/// What becomes unknown here is stale from now on, should one of its events turn up again.
bool Pruner::sagas(Time before, Time now, std::size_t most) {
    const auto rows = store_.pruning.sagas(after_saga_, most);
    std::int64_t from = store_.meta.number(store::Meta::kJournalFrom);
    const std::int64_t was = from;
    bool young = false;
    for (const store::Pruning::OldSaga& row : rows) {
        young = row.started >= before;
        // One that says that it begins tomorrow must not keep those behind it.
        if (young && row.started <= now + core::kClockSkew) break;
        after_saga_ = row.key;
        if (std::exchange(young, false)) continue;
        if (row.touched >= before || !over(row)) continue;
        from = std::max(from, row.started.time_since_epoch().count() + 1);
        store_.pruning.erase_saga(row.key);
        ++pruned_;
    }
    if (from != was) store_.meta.set(store::Meta::kJournalFrom, from);
    if (young || rows.size() < most) after_saga_ = 0;
    return after_saga_ != 0;
}

}  // namespace saga::runtime
