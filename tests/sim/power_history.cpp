#include "tests/sim/power_history.hpp"

#include <fmt/format.h>

#include <array>

namespace saga::sim {
namespace {

constexpr int kLives = 20;
constexpr int kLooks = 6;             // power cuts of one moment, beside the one that is lived with
constexpr std::uint64_t kActs = 250;  // of a process: some five transactions

constexpr auto kFile = "ledger.db";

}  // namespace

PowerHistory::PowerHistory(std::uint64_t seed, const std::string& synchronous)
    : chance_(seed),
      synchronous_(synchronous),
      disk_(seed, [] { return core::StoreTime{}; }),
      twin_({.path = ":memory:", .vfs = {}}, kLedger),
      stands_(contents(twin_.db())),
      might_stand_(stands_) {}

void PowerHistory::run() {
    try {
        for (int nth = 0; nth < kLives; ++nth) {
            live();
            die();
        }
    } catch (const Error& failure) {
        throw Violation(failure.what());
    }
}

void PowerHistory::live() {
    Life life;
    life.on_death([this] { disk_.kill(); });
    const bool late = !begun_ && chance_.happens(0.8);  // or most would die making the tables
    if (!late) life.end_after(chance_.below(kActs));
    store::Store store(
        {.path = kFile, .vfs = disk_.mount(life), .end = [&](const std::string&) { end(life); }},
        kLedger);
    if (life.dead()) return;
    go_on_with(store.db());
    if (late) life.end_after(chance_.below(kActs));
    try {
        work(store, life);
    } catch (const store::Broken&) {
        end(life);
    }
    disk_.set({});
}

/// Which of the two it is, is now known: others may have heard of it.
void PowerHistory::go_on_with(const store::Database& db) {
    if (judge(db) != stands_) {
        twin_.db().begin();
        write_transaction(twin_, *attempt_);
        twin_.db().commit();
    }
    attempt_.reset();
    begun_ = true;
}

void PowerHistory::work(store::Store& store, Life& life) {
    constexpr std::array kPages{1'000, 30, 8};
    store.db().exec(fmt::format("PRAGMA synchronous={}; PRAGMA wal_autocheckpoint={}", synchronous_,
                                kPages.at(chance_.below(kPages.size()))));
    disk_.set(faults());
    while (!life.dead()) {
        try {
            if (chance_.happens(0.05))
                store.db().checkpoint();
            else
                transact(store, life);
        } catch (const store::DiskFull&) {
            store.rollback();
            attempt_.reset();
            disk_.set({});
            ++deaths_.full;
        }
    }
}

Disk::Faults PowerHistory::faults() {
    if (chance_.happens(0.9)) return {};
    switch (chance_.below(3)) {
        case 0:
            return {.room = chance_.below(60'000)};
        case 1:
            return {.good_writes = chance_.below(kActs)};
        default:
            return {.good_syncs = chance_.below(12)};
    }
}

void PowerHistory::transact(store::Store& store, Life& life) {
    const Chance drawn(chance_.next());
    store.db().begin();
    write_transaction(store, drawn);
    if (chance_.happens(0.05)) return store.rollback();
    attempt_ = drawn;
    store.db().commit();
    if (life.dead()) return;
    ++deaths_.commits;
    twin_.db().begin();
    write_transaction(twin_, drawn);
    twin_.db().commit();
    attempt_.reset();
}

void PowerHistory::end(Life& life) {
    ++deaths_.errors;
    life.end_after(0);
    life.act();
}

void PowerHistory::die() {
    stands_ = might_stand_ = contents(twin_.db());
    if (attempt_) {
        twin_.db().begin();
        write_transaction(twin_, *attempt_);
        might_stand_ = contents(twin_.db());
        twin_.rollback();
    }
    const Disk::Image left = disk_.image();
    for (int nth = 0; nth < kLooks; ++nth) {
        disk_.rewind(left);
        disk_.power_cut(chance_);
        ++deaths_.cuts;
        look();
    }
    disk_.rewind(left);
    if (chance_.happens(0.2)) {
        ++deaths_.kills;
        return;
    }
    disk_.power_cut(chance_);
    ++deaths_.cuts;
}

void PowerHistory::look() {
    Life life;
    const store::Database db({.path = kFile, .vfs = disk_.mount(life)});
    if (begun_) judge(db);
}

Contents PowerHistory::judge(const store::Database& db) const {
    const Contents found = contents(db);
    if (found != stands_ && found != might_stand_)
        throw Violation(fmt::format(
            "the cursor is at {} ({:016x}), where {} ({:016x}) was acknowledged and {} ({:016x}) "
            "was under way",
            found.cursor, found.digest, stands_.cursor, stands_.digest, might_stand_.cursor,
            might_stand_.digest));
    store::Statement check(db, "PRAGMA integrity_check(1)");
    store::Rows rows = check.query();
    const std::string verdict(rows.next() ? rows.text(0) : "no answer");
    if (verdict != "ok") throw Violation("integrity_check: " + verdict);
    return found;
}

}  // namespace saga::sim
