// The disk of one machine, under real SQLite, that loses what real disks lose.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "saga/core/history.hpp"
#include "tests/sim/chance.hpp"
#include "tests/sim/files.hpp"
#include "tests/sim/life.hpp"

namespace saga::sim {

/// Files in memory, below a VFS of SQLite's for each process that uses them. A process sees all
/// that was written; a power cut leaves what was synced, and by chance some sectors of the rest.
/// Names of files need a sync of their folder likewise. The same chance and the same calls give the
/// same disk. Any number of disks at once, each with its own names; one thread a disk.
class Disk {
  public:
    /// What goes wrong next; each error once, counted from when it is set.
    struct Faults {
        static constexpr std::uint64_t kNone = std::numeric_limits<std::uint64_t>::max();
        /// Bytes by which the files may still grow, all together: then SQLITE_FULL.
        std::uint64_t room = kNone;
        std::uint64_t good_writes = kNone;  ///< before one that ends in SQLITE_IOERR, half done
        /// Before one that ends in SQLITE_IOERR: as on Linux, no later one makes up for it.
        std::uint64_t good_syncs = kNone;
    };
    using Image = Folder;

    /// `date` is the machine's clock.
    Disk(std::uint64_t seed, std::function<core::StoreTime()> date);
    ~Disk();  ///< All files must be closed.
    Disk(const Disk&) = delete;
    Disk& operator=(const Disk&) = delete;

    /// For a process that begins: the name of its VFS, for Database::Options. Whatever it changes
    /// or syncs is an act of `life`. Another one may run beside it: SQLite's locks hold between
    /// them. The name is good until the process has died or closed its files.
    std::string mount(Life& life);

    /// All processes die here. What they wrote stays, as unsynced as it is. Their ghosts see what
    /// they write, and nobody else does.
    void kill();
    /// As kill(), and what was not synced is there or not, by chance.
    void power_cut(Chance& chance);

    void set(const Faults& faults) { faults_ = faults; }
    const Faults& faults() const { return faults_; }  ///< Those that are left.
    void lie() { lies_ = true; }                      ///< From here on no sync is one.

    /// Of the files whose names end so.
    std::uint64_t bytes(std::string_view tail) const;
    /// Bytes of memory that all files take.
    std::uint64_t memory() const;

    /// A copy of all files, as unsynced as they are.
    Image image() const { return folder_->copy(); }
    /// All processes die, and all is as it was then.
    void rewind(const Image& image) { folder_ = std::make_shared<Folder>(image.copy()); }
    /// As rewind(), and all is synced: a backup that was brought back.
    void restore(const Image& image);

  private:
    class Mount;
    struct Vfs;
    std::shared_ptr<Folder> folder_;
    Chance chance_;
    std::function<core::StoreTime()> date_;
    Faults faults_;
    bool lies_ = false;
    std::vector<std::unique_ptr<Mount>> mounts_;
};

}  // namespace saga::sim
