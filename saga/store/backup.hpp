// A copy of a database that is in use, made a little at a time between two transactions.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>

namespace saga::store {

class Database;

/// What `db` commits meanwhile goes into the copy too, which in the end is as `db` stood at the
/// last step. On the thread of `db`, which must outlive it.
class Backup {
  public:
    /// Begins to write to `path`, which must not exist, mode 0600. Throws Error.
    Backup(Database& db, const std::string& path);
    ~Backup();  ///< A copy that is not whole is removed.
    Backup(const Backup&) = delete;
    Backup& operator=(const Backup&) = delete;

    /// Copies kBackupPages more; true: it is whole, and durable but for its name. Outside
    /// transactions. Throws Error: then nothing comes of the copy, and `db` is as it was.
    bool step();

    std::uint64_t copied_bytes() const { return copied_; }
    std::uint64_t all_bytes() const { return all_; }

  private:
    struct Close {
        void operator()(sqlite3* db) const { sqlite3_close(db); }
    };
    struct Finish {
        void operator()(sqlite3_backup* backup) const { sqlite3_backup_finish(backup); }
    };
    Database& db_;
    std::string path_;
    int file_ = -1;
    std::unique_ptr<sqlite3, Close> copy_;
    std::unique_ptr<sqlite3_backup, Finish> backup_;
    std::uint64_t copied_ = 0, all_ = 0, page_bytes_ = 0;
    bool whole_ = false;
};

}  // namespace saga::store
