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
    core::SagaState state;
    state.row = sagas.find(saga_id);
    fill(state);
    return state;
}

core::SagaState Store::load(std::int64_t saga) {
    core::SagaState state;
    state.row = sagas.find(saga);
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

void Store::rollback() {
    db_.rollback();
    outbox.reload();
    parked.reload();
    locks.reload();
    cursor.reload();
}

}  // namespace saga::store
