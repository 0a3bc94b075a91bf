#include "saga/store/store.hpp"

#include "saga/store/schema.hpp"

namespace saga::store {

Store::Prepared::Prepared(Database& db, std::span<const std::string> scripts) {
    migrate(db);
    run_scripts(db, scripts);
}

Store::Store(const Database::Options& options, std::span<const std::string> scripts)
    : db_(options),
      prepared_(db_, scripts),
      sagas(db_),
      journal(db_),
      arrived(db_),
      inbox(db_),
      outbox(db_),
      commands(db_),
      recorded(db_),
      parked(db_),
      aside(db_),
      timers(db_),
      calls(db_),
      locks(db_),
      cursor(db_),
      meta(db_),
      attempts(db_),
      pruning(db_),
      business(db_) {}

core::SagaState Store::load(std::string_view saga_id) {
    if (auto known = recent_.take(saga_id)) return *std::move(known);
    core::SagaState state;
    state.row = sagas.find(saga_id);
    fill(state);
    return state;
}

core::SagaState Store::load(std::int64_t saga) {
    if (auto known = recent_.take(saga)) return *std::move(known);
    core::SagaState state;
    state.row = sagas.find(saga);
    // Its place by key may be another's by now.
    if (auto known = recent_.take(state.row.id)) return *std::move(known);
    fill(state);
    return state;
}

void Store::fill(core::SagaState& state) {
    const std::int64_t key = state.row.key;
    if (key == 0) return;
    journal.load(key, state.steps);
    arrived.load(key, state.arrived);
    if (parked.any(key)) parked.load(key, state.parked);
}

/// What waits is changed by what it waits for, of other sagas too.
void Store::keep(core::SagaState state) {
    const bool small = state.steps.size() + state.arrived.size() <= core::kRecentRows;
    if (state.row.key != 0 && small && state.parked.empty()) recent_.put(std::move(state));
}

void Store::rollback() {
    db_.rollback();
    recent_.clear();
    outbox.reload();
    parked.reload();
    aside.reload();
    locks.reload();
    cursor.reload();
    meta.reload();
}

}  // namespace saga::store
