#include "saga/store/database.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "saga/core/limits.hpp"
#include "saga/store/failpoint.hpp"
#include "saga/store/memory.hpp"
#include "saga/store/statement.hpp"

namespace saga::store {
namespace {

constexpr auto kInspected = 32u << 20;  // bytes: a check of so many takes a tenth of a second

std::string pragma(const Database& db, const std::string& name) {
    Statement statement(db, "PRAGMA " + name);
    Rows rows = statement.query();
    return rows.next() ? std::string(rows.text(0)) : std::string();
}

void insist(const Database& db, const std::string& name, const std::string& value,
            const std::string& reads) {
    db.exec("PRAGMA " + name + "=" + value);
    if (const std::string found = pragma(db, name); found != reads)
        throw Error(
            fmt::format("{}: SQLite does not take {}={} (it says {}); is the file on a "
                        "local disk?",
                        db.path(), name, value, found));
}

std::string holder_of(int descriptor) {
    std::array<char, 32> text{};
    const auto size = ::pread(descriptor, text.data(), text.size() - 1, 0);
    return size > 0 ? fmt::format(" (process {})", std::atoi(text.data())) : "";
}

}  // namespace

/// What every transaction says, prepared once.
struct Database::Controls {
    explicit Controls(const Database& db)
        : begin(db, "BEGIN IMMEDIATE"),
          commit(db, "COMMIT"),
          savepoint(db, "SAVEPOINT item"),
          rollback_to(db, "ROLLBACK TO item"),
          release(db, "RELEASE item") {}

    /// Without exceptions: for destructors.
    static int run(Statement& statement) noexcept {
        const int code = sqlite3_step(statement.raw());
        sqlite3_reset(statement.raw());
        return code == SQLITE_DONE ? SQLITE_OK : code;
    }
    Statement begin, commit, savepoint, rollback_to, release;
};

void end_process(const std::string& why) {
    std::fprintf(stderr, "%s\n", why.c_str());
    std::abort();
}

FileLock::FileLock(const std::string& path) {
    const std::string name = path + ".lock";
    descriptor_ = ::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (descriptor_ < 0)
        throw Error(
            fmt::format("cannot open {}: {}; does its folder exist, and may you write "
                        "there?",
                        name, std::strerror(errno)));
    if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
        const std::string holder = holder_of(descriptor_);
        ::close(descriptor_);
        throw Error(
            fmt::format("{} is in use by another process{}: stop it first, or give this "
                        "instance a file of its own",
                        path, holder));
    }
    const std::string pid = fmt::format("{}\n", ::getpid());
    if (::ftruncate(descriptor_, 0) != 0 ||
        ::pwrite(descriptor_, pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
        // The lock holds without its note.
    }
}

FileLock::~FileLock() {
    ::close(descriptor_);
}

Database::Database(const Options& options) : path_(options.path), end_(options.end) {
    const bool memory = path_ == ":memory:";
    if (!memory && options.vfs.empty()) lock_.emplace(path_);
    pool_sqlite_memory();
    try {
        db_ = std::make_unique<SQLite::Database>(
            path_, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE | SQLite::OPEN_NOMUTEX, 0,
            options.vfs);
        sqlite3_extended_result_codes(handle(), 1);
        keep_on_close(true);  // what is refused stays as it is
        configure();
        inspect();
        keep_on_close(false);
        settle();
        controls_ = std::make_unique<Controls>(*this);
    } catch (const SQLite::Exception& failure) {
        throw Error(fmt::format("cannot open the database {}: {}", path_, failure.what()));
    } catch (const Broken& failure) {
        throw Error(
            fmt::format("{} is damaged or no database ({}): restore it from a backup, or "
                        "move it away and rebuild from the stream",
                        path_, failure.what()));
    }
}

// Statements that the tables hold must be gone by now: they are destroyed before their database.
Database::~Database() = default;

/// Whether closing leaves the WAL where it is, instead of copying it into the file.
void Database::keep_on_close(bool keep) {
    sqlite3_db_config(handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, keep ? 1 : 0, nullptr);
}

void Database::configure() {
    const bool memory = path_ == ":memory:";
    insist(*this, "locking_mode", "EXCLUSIVE", "exclusive");
    if (sqlite3_exec(handle(), "SELECT 1 FROM sqlite_schema", nullptr, nullptr, nullptr) ==
        SQLITE_ERROR)  // for SQLite a statement's fault; ours has none
        throw Broken(sqlite3_errmsg(handle()));
    insist(*this, "journal_mode", "WAL", memory ? "memory" : "wal");
    insist(*this, "synchronous", "FULL", "2");
    insist(*this, "foreign_keys", "ON", "1");
    // A small cache stays in the processor's own: 16 MiB cost a tenth of the throughput, and the
    // system has the rest of the file in its memory. Debian's SQLite writes zeros over what is
    // deleted; FAST does so where that writes no more.
    exec(
        "PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON; PRAGMA temp_store=MEMORY;"
        "PRAGMA mmap_size=0; PRAGMA cache_size=-4096; PRAGMA secure_delete=FAST;");
    exec(fmt::format("PRAGMA journal_size_limit={}", core::kWalBytes));
    const int id = std::atoi(pragma(*this, "application_id").c_str());
    const bool empty = pragma(*this, "schema_version") == "0";
    if (!empty && id != kApplicationId)
        throw Error(path_ + " is a database of another program: name another file");
    if (empty) exec("PRAGMA application_id=" + std::to_string(kApplicationId));
}

/// A small file that was not closed is looked through; a large one is as it is read
/// (cell_size_check), or every start after a crash would take as long as the file is large.
void Database::inspect() const {
    std::error_code none;
    const auto size = std::filesystem::file_size(path_, none);
    if (!none && size <= kInspected) look_through();
}

std::uint64_t Database::free_bytes() const {
    return std::strtoull(pragma(*this, "freelist_count").c_str(), nullptr, 10) *
           std::strtoull(pragma(*this, "page_size").c_str(), nullptr, 10);
}

void Database::look_through() const {
    const std::string found = pragma(*this, "quick_check(1)");
    if (found != "ok") throw Broken(found.substr(found.rfind('\n') + 1));  // below a heading
}

/// A process that ended inside COMMIT may have left frames in the WAL that can be read and are not
/// on the disk: never synced, or by a sync that failed, for which Linux lets no later one make up.
/// Written once more and synced, they last before anybody hears of them.
void Database::settle() {
    sqlite3_file* wal = nullptr;
    sqlite3_file_control(handle(), "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal);
    if (wal == nullptr || wal->pMethods == nullptr) return;  // ":memory:"
    sqlite3_int64 size = 0;
    int code = wal->pMethods->xFileSize(wal, &size);
    std::array<char, 64 * 1024> part{};
    for (sqlite3_int64 at = 0; code == SQLITE_OK && at < size; at += std::ssize(part)) {
        const auto length = static_cast<int>(std::min<sqlite3_int64>(std::ssize(part), size - at));
        code = wal->pMethods->xRead(wal, part.data(), length, at);
        if (code == SQLITE_OK) code = wal->pMethods->xWrite(wal, part.data(), length, at);
    }
    if (code == SQLITE_OK && size > 0) code = wal->pMethods->xSync(wal, SQLITE_SYNC_NORMAL);
    if (code != SQLITE_OK) raise(nullptr, code, "the WAL of " + path_ + " cannot be written");
}

void Database::exec(const std::string& sql) const {
    const int code = sqlite3_exec(handle(), sql.c_str(), nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) raise(handle(), sqlite3_extended_errcode(handle()), sql);
}

void Database::begin() {
    controls_->begin.exec();
    SAGA_FAILPOINT(begun);
}

void Database::commit() {
    const bool failed = SAGA_FAILS(commit);
    if (!failed && Controls::run(controls_->commit) == SQLITE_OK) {
        SAGA_FAILPOINT(committed);
        return;
    }
    const int extended = sqlite3_extended_errcode(handle());
    if (!failed && (extended & 0xFF) == SQLITE_FULL) {
        // A frame did not fit into the WAL: SQLite has forgotten those before it, and writes the
        // next transaction over them. (Room that is denied as late as in fsync is an I/O error.)
        rollback();
        raise(handle(), extended, "COMMIT");
    }
    end_(fmt::format(
        "{}: COMMIT failed ({}): whether it counts is known only after a restart, so this process "
        "ends here",
        path_, sqlite3_errmsg(handle())));
}

void Database::rollback() noexcept {
    if (in_transaction()) sqlite3_exec(handle(), "ROLLBACK", nullptr, nullptr, nullptr);
}

bool Database::in_transaction() const {
    return sqlite3_get_autocommit(handle()) == 0;
}

void Database::checkpoint() {
    SAGA_FAILPOINT(checkpointing);
    exec("PRAGMA wal_checkpoint(TRUNCATE)");
}

void Database::reuse_wal() {
    exec("PRAGMA wal_checkpoint(RESTART)");
}

Savepoint::Savepoint(Database& db) : db_(db) {
    db_.controls_->savepoint.exec();
}

Savepoint::~Savepoint() {
    // A full disk or a dead one may have ended the whole transaction: nothing is left to undo.
    if (!db_.in_transaction()) return;
    if (!kept_) Database::Controls::run(db_.controls_->rollback_to);
    Database::Controls::run(db_.controls_->release);
}

}  // namespace saga::store
