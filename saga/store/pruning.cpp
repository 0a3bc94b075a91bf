#include "saga/store/pruning.hpp"

#include "saga/store/database.hpp"

namespace saga::store {

Pruning::Pruning(const Database& db)
    : events_(db,
              "SELECT seq, saga, stream_seq IS NOT NULL, at FROM outbox WHERE seq > ?1 "
              "ORDER BY seq LIMIT ?2"),
      sagas_(db,
             "SELECT saga, id, started, touched, NOT ("
             "EXISTS (SELECT 1 FROM journal WHERE journal.saga = sagas.saga) OR "
             "EXISTS (SELECT 1 FROM arrived WHERE arrived.saga = sagas.saga) OR "
             "EXISTS (SELECT 1 FROM locks WHERE locks.saga = sagas.saga) OR "
             "EXISTS (SELECT 1 FROM commands WHERE commands.saga = sagas.saga)) "
             "FROM sagas WHERE saga > ?1 ORDER BY saga LIMIT ?2"),
      event_(db, "DELETE FROM outbox WHERE seq = ?1") {
    for (const char* table :
         {"journal", "arrived", "inbox", "commands", "timers", "locks", "sagas"})
        saga_.emplace_back(db, std::string("DELETE FROM ") + table + " WHERE saga = ?1");
}

std::vector<Pruning::OldEvent> Pruning::events(std::int64_t after, std::size_t most) {
    std::vector<OldEvent> found;
    Rows rows = events_.query(after, most);
    while (rows.next())
        found.push_back({rows.integer(0), rows.integer(1), rows.integer(2) != 0, rows.time(3)});
    return found;
}

std::vector<Pruning::OldSaga> Pruning::sagas(std::int64_t after, std::size_t most) {
    std::vector<OldSaga> found;
    Rows rows = sagas_.query(after, most);
    while (rows.next())
        found.push_back({rows.integer(0), std::string(rows.text(1)), rows.time(2), rows.time(3),
                         rows.integer(4) != 0});
    return found;
}

void Pruning::erase_event(std::int64_t seq) {
    event_.exec(seq);
}

void Pruning::erase_saga(std::int64_t key) {
    for (Statement& statement : saga_) statement.exec(key);
}

}  // namespace saga::store
