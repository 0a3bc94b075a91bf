// Backups of a service: each a folder with its database and the key that belongs to it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "saga/runtime/clock.hpp"
#include "saga/store/backup.hpp"
#include "saga/store/database.hpp"

namespace saga::runtime {

/// Where a service's key is, and where its backups go. Without a folder it makes none.
struct BackupPlace {
    std::string service, key_path, folder;
};

/// `<folder>/<service>-<time>` with `<service>.db` and `<service>.key` in it: there when both are
/// whole and durable, and not before. Made a step at a time, on the thread of the database.
class Backup {
  public:
    /// Throws Error: no room, nothing may be written there, no key.
    Backup(store::Database& db, const BackupPlace& place, Time now);
    ~Backup();  ///< What is not whole is removed.
    Backup(const Backup&) = delete;
    Backup& operator=(const Backup&) = delete;

    /// True: it is there. Throws Error: then nothing comes of it.
    bool step();

    const std::string& name() const { return name_; }
    std::string path() const;
    std::uint64_t copied_bytes() const { return copied_; }
    std::uint64_t all_bytes() const { return all_; }

  private:
    std::string part() const;
    std::string folder_, name_;
    std::optional<store::Backup> copy_;
    std::uint64_t copied_ = 0, all_ = 0;
};

/// The verb `backup` of a running service: one at a time, a step a turn.
class Backups {
  public:
    Backups(store::Database& db, const Timeline& timeline, BackupPlace place)
        : db_(db), timeline_(timeline), place_(std::move(place)) {}

    /// Body {"name": N}: how that one stands, JSON. Another body begins one, unless one is being
    /// made: then it is that one.
    std::string take(std::string_view body);

    bool busy() const { return making_ != nullptr; }
    /// Goes on with the one that is being made, if any; between two transactions.
    void step();
    /// The disk is full: what there is of it is removed.
    void give_up(std::string_view why);

  private:
    void end(std::string said);
    std::string told(std::string_view name) const;
    store::Database& db_;
    const Timeline& timeline_;
    BackupPlace place_;
    std::unique_ptr<Backup> making_;
    std::string last_, last_json_;  // the one before, and what became of it
};

}  // namespace saga::runtime
