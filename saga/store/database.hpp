// The service's one connection to its one file.
#pragma once

#include <SQLiteCpp/Database.h>

#include <functional>
#include <memory>
#include <optional>
#include <saga/error.hpp>
#include <string>

namespace saga::store {

/// "SAGA": file(1) and we know our own by it. Never change: stored.
inline constexpr int kApplicationId = 0x53414741;

/// No room on the disk: the transaction is rolled back and nothing is lost; try again later.
class DiskFull : public Error {
  public:
    using Error::Error;
};

/// The file or the disk under it cannot be trusted: what is committed is unknown until a restart.
class Broken : public Error {
  public:
    using Error::Error;
};

/// Says why on stderr, and aborts.
[[noreturn]] void end_process(const std::string& why);

/// Holds `<path>.lock` until it goes, or the process does, however that happens. One owner a file:
/// a second one is refused at once and told the first one's process id.
class FileLock {
  public:
    explicit FileLock(const std::string& path);  ///< Throws Error.
    ~FileLock();
    FileLock(const FileLock&) = delete;
    FileLock& operator=(const FileLock&) = delete;

  private:
    int descriptor_ = -1;
};

/// Opens with locking_mode=EXCLUSIVE, journal_mode=WAL, synchronous=FULL, each read back; one
/// thread. What can be read outlives a power cut, whoever wrote it. Path ":memory:" is for tests:
/// it promises nothing after the process.
class Database {
  public:
    struct Options {
        std::string path;
        std::string vfs;  ///< empty: the system's
        /// Told of a COMMIT that failed on I/O. When it returns, nothing that is done from then on
        /// may reach a disk or a wire.
        std::function<void(const std::string& why)> end = &end_process;
    };
    /// Throws Error, in one sentence that says what to do, when the file is locked, is no database,
    /// is not ours, or is damaged.
    explicit Database(const Options& options);
    ~Database();
    Database(const Database&) = delete;
    Database& operator=(const Database&) = delete;

    void exec(const std::string& sql) const;  ///< Any number of statements, without parameters.

    /// BEGIN IMMEDIATE ... COMMIT. A COMMIT that fails on I/O ends the process: whether it counts
    /// is known only after a restart, and no answer may be given before.
    void begin();
    void commit();
    void rollback() noexcept;
    bool in_transaction() const;

    /// Of pages in the file that hold nothing: what is written goes there first.
    std::uint64_t free_bytes() const;
    /// Throws Broken when the file is damaged: some seconds for each GiB.
    void look_through() const;
    /// Copies the WAL into the file and truncates it; when nothing else is to be done.
    void checkpoint();
    /// Copies the WAL into the file, and writes from its beginning again: it keeps its room.
    void reuse_wal();

    sqlite3* handle() const { return db_->getHandle(); }
    const std::string& path() const { return path_; }

  private:
    friend class Savepoint;
    struct Controls;
    void configure();
    void keep_on_close(bool keep);
    void inspect() const;
    void settle();
    std::string path_;
    std::function<void(const std::string&)> end_;
    std::optional<FileLock> lock_;
    std::unique_ptr<SQLite::Database> db_;
    std::unique_ptr<Controls> controls_;  // prepared BEGIN, COMMIT, SAVEPOINT, ...
};

/// Undoes what a handler wrote: everything since its construction, unless keep() was said.
class Savepoint {
  public:
    explicit Savepoint(Database& db);
    ~Savepoint();
    Savepoint(const Savepoint&) = delete;
    Savepoint& operator=(const Savepoint&) = delete;
    void keep() { kept_ = true; }

  private:
    Database& db_;
    bool kept_ = false;
};

}  // namespace saga::store
