// One database through many deaths of its machine.
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>

#include "tests/sim/disk.hpp"
#include "tests/sim/ledger.hpp"

namespace saga::sim {

/// What was acknowledged is gone, or what was not stands halfway.
class Violation : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

struct Deaths {
    std::uint64_t cuts = 0;    ///< of power
    std::uint64_t kills = 0;   ///< of the process alone
    std::uint64_t errors = 0;  ///< of the disk, that ended it
    std::uint64_t full = 0;    ///< disks, that ended nothing
    std::uint64_t commits = 0;
};

/// A process opens the file, makes transactions, and ends at some write or sync, or at an error of
/// the disk. Then power cuts, each with other sectors left, must each leave the last transaction
/// that was acknowledged, or the one after it, to the last row of every table, in a sound file; and
/// the next process goes on with one of them. A twin in memory, which never dies, says what each
/// transaction comes to.
class PowerHistory {
  public:
    /// `synchronous` is the PRAGMA's value: the engine's is FULL.
    PowerHistory(std::uint64_t seed, const std::string& synchronous);
    void run();  ///< Throws Violation.
    const Deaths& deaths() const { return deaths_; }

  private:
    void live();
    void work(store::Store& store, Life& life);
    void transact(store::Store& store, Life& life);
    void die();
    void look();
    void go_on_with(const store::Database& db);
    Contents judge(const store::Database& db) const;
    void end(Life& life);
    Disk::Faults faults();

    Chance chance_;
    std::string synchronous_;
    Disk disk_;
    store::Store twin_;
    Deaths deaths_;
    std::optional<Chance> attempt_;  ///< of the transaction that nobody acknowledged
    Contents stands_, might_stand_;  ///< without it, and with it
    bool begun_ = false;             ///< some process has made the tables
};

}  // namespace saga::sim
