// What is on a disk, and what of it outlives a power cut.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tests/sim/chance.hpp"

namespace saga::sim {

/// What a disk writes at once: of a sector all arrives, or nothing.
inline constexpr std::size_t kSector = 512;

/// Of the changes that were not synced, how many a power cut finds on the disk.
struct Survival {
    explicit Survival(Chance& from) : chance(from), rate(static_cast<double>(from.below(5)) / 4) {}
    bool next() { return chance.happens(rate); }
    Chance& chance;
    double rate;  ///< 0: none of them; 1: all
};

/// Contents as processes see them, and as the disk has them.
class File {
  public:
    std::size_t size() const { return now_.size(); }
    /// Bytes of memory that it takes.
    std::size_t memory() const;
    /// How much there was to read; the rest of `to` is zeros.
    std::size_t read(std::size_t at, std::span<std::byte> to) const;
    void write(std::size_t at, std::span<const std::byte> bytes);
    void truncate(std::size_t size);
    void sync();
    /// A sync that fails, as on Linux: what it did not write can be read, and no later sync writes
    /// it.
    void fail_sync(Survival& survival);
    /// What a power cut leaves: what was synced and some of the sectors that were not.
    void cut(Survival& survival);

    /// Locks of SQLite's levels, for who opened it; false: another one's stands against it.
    bool lock(const void* who, int level);
    void unlock(const void* who, int level);
    int highest_lock(const void* but_of = nullptr) const;
    void forget_locks() { locks_.clear(); }

  private:
    struct Change {
        bool truncates = false;
        std::size_t at = 0;  ///< of a truncation: the new size
        std::vector<std::byte> bytes;
    };
    static void apply(std::vector<std::byte>& to, const Change& change);
    static void apply_torn(std::vector<std::byte>& to, const Change& change, Survival& survival);
    std::vector<std::byte> now_, synced_;
    std::vector<Change> unsynced_;
    std::map<const void*, int> locks_;
};

/// Names of files. A name that was made or removed is as lasting as the last sync of the folder.
class Folder {
  public:
    using Names = std::map<std::string, std::shared_ptr<File>, std::less<>>;

    const Names& names() const { return now_; }
    std::shared_ptr<File> find(std::string_view name) const;
    std::shared_ptr<File> make(const std::string& name);
    void remove(std::string_view name);
    void sync() { synced_ = now_; }
    void sync_all();  ///< The files too.

    /// The same once more, of files of its own that nobody has locked.
    Folder copy() const;
    void cut(Survival& survival);

  private:
    Names now_, synced_;
};

}  // namespace saga::sim
