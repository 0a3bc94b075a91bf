#include "saga/store/backup.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "saga/core/limits.hpp"
#include "saga/store/database.hpp"
#include "saga/store/statement.hpp"

namespace saga::store {
namespace {

[[noreturn]] void fail(const std::string& path, const char* why) {
    throw Error(fmt::format("cannot write the backup {}: {}", path, why));
}

}  // namespace

// The copy has no journal and is not synced by SQLite: until it is whole, it is nothing.
Backup::Backup(Database& db, const std::string& path) : db_(db), path_(path) {
    file_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file_ < 0) fail(path, std::strerror(errno));
    sqlite3* copy = nullptr;
    const int opened = sqlite3_open_v2(path.c_str(), &copy, SQLITE_OPEN_READWRITE, nullptr);
    copy_.reset(copy);
    const bool ready = opened == SQLITE_OK &&
                       sqlite3_exec(copy, "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;",
                                    nullptr, nullptr, nullptr) == SQLITE_OK;
    if (ready) backup_.reset(sqlite3_backup_init(copy, "main", db.handle(), "main"));
    if (!backup_) {
        const std::string why = sqlite3_errmsg(copy);
        ::close(file_);
        ::unlink(path.c_str());
        fail(path, why.c_str());
    }
    Statement page_size(db, "PRAGMA page_size"), page_count(db, "PRAGMA page_count");
    page_bytes_ = static_cast<std::uint64_t>(number(page_size));
    all_ = static_cast<std::uint64_t>(number(page_count)) * page_bytes_;
}

Backup::~Backup() {
    backup_.reset();
    copy_.reset();
    ::close(file_);
    if (!whole_) ::unlink(path_.c_str());
}

bool Backup::step() {
    if (whole_) return true;
    SAGA_ASSERT(!db_.in_transaction());
    const int code = sqlite3_backup_step(backup_.get(), core::kBackupPages);
    if (code != SQLITE_OK && code != SQLITE_DONE) fail(path_, sqlite3_errstr(code));
    const auto pages = static_cast<std::uint64_t>(sqlite3_backup_pagecount(backup_.get()));
    const auto left = static_cast<std::uint64_t>(sqlite3_backup_remaining(backup_.get()));
    all_ = pages * page_bytes_;
    copied_ = (pages - left) * page_bytes_;
    if (code == SQLITE_DONE) {
        backup_.reset();
        copy_.reset();
    }
    // A little each time: all of it at once would hold up the commits of `db` for as long.
    if (::fdatasync(file_) != 0) fail(path_, std::strerror(errno));
    return whole_ = code == SQLITE_DONE;
}

}  // namespace saga::store
