// Transactions of every kind that a service makes, drawn by chance, on its real tables.
#pragma once

#include <string>
#include <vector>

#include "saga/store/store.hpp"
#include "tests/sim/chance.hpp"

namespace saga::sim {

/// The business tables of the ledger.
extern const std::vector<std::string> kLedger;

/// What one transaction writes, between BEGIN and COMMIT: a few events with journal, outbox, inbox,
/// timers, calls, parked rows, locks and business, some of them undone with their savepoint;
/// settled and pruned rows; and the cursor one further. The same chance on the same tables writes
/// the same.
void write_transaction(store::Store& store, Chance chance);

/// How far the cursor is, and a digest of every row of every table.
struct Contents {
    std::uint64_t cursor = 0;
    std::uint64_t digest = 0;
    bool operator==(const Contents&) const = default;
};
Contents contents(const store::Database& db);

}  // namespace saga::sim
