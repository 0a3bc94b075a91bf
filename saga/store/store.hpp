// All tables of one service's file.
#pragma once

#include <span>
#include <string>

#include "saga/core/limits.hpp"
#include "saga/store/business.hpp"
#include "saga/store/database.hpp"
#include "saga/store/journal.hpp"
#include "saga/store/outbox.hpp"
#include "saga/store/parked.hpp"
#include "saga/store/pending.hpp"
#include "saga/store/position.hpp"
#include "saga/store/pruning.hpp"
#include "saga/store/recent.hpp"

namespace saga::store {

/// Opens the file, brings it to this build's tables, runs the author's scripts. One thread.
class Store {
  public:
    Store(const Database::Options& options, std::span<const std::string> scripts);

    Database& db() { return db_; }

    /// What is known here of a saga.
    core::SagaState load(std::string_view saga_id);
    core::SagaState load(std::int64_t saga);
    /// It stands in the tables like this, and nobody but who loads it will change it there: it need
    /// not be read again.
    void keep(core::SagaState state);

    /// Ends a transaction that came to nothing: what the tables keep in memory is read anew.
    void rollback();

  private:
    struct Prepared {
        explicit Prepared(Database& db, std::span<const std::string> scripts);
    };
    void fill(core::SagaState& state);
    Database db_;
    Prepared prepared_;
    Recent recent_{core::kRecentSagas};

  public:
    Sagas sagas;
    Journal journal;
    Arrived arrived;
    Inbox inbox;
    Outbox outbox;
    Commands commands;
    Recorded recorded;
    Parked parked;
    Aside aside;
    Timers timers;
    Calls calls;
    Locks locks;
    Cursor cursor;
    Meta meta;
    Attempts attempts;
    Pruning pruning;
    Business business;
};

}  // namespace saga::store
