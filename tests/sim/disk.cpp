#include "tests/sim/disk.hpp"

#include <fmt/format.h>
#include <sqlite3.h>

#include <atomic>
#include <cstring>
#include <new>
#include <saga/error.hpp>

namespace saga::sim {
namespace {

constexpr int kLongestName = 256;
constexpr int kJournals = SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_WAL;

/// Whether it is this one's turn; a fault strikes once.
bool strikes(std::uint64_t& good) {
    return good != Disk::Faults::kNone && good-- == 0;
}

}  // namespace

/// A process's door to the disk. After its death it leads to a folder that only its ghost sees.
class Disk::Mount {
  public:
    Mount(Disk& disk, Life& life);
    ~Mount();
    Mount(const Mount&) = delete;
    Mount& operator=(const Mount&) = delete;

    const std::string& name() const { return name_; }
    bool over() const { return open_ == 0 && (used_ || dead()); }
    Disk& disk() const { return disk_; }

    std::shared_ptr<File> open(const char* name, int flags);
    void closed() { --open_; }
    int write(File& file, std::size_t at, std::span<const std::byte> bytes);
    int truncate(File& file, std::size_t size);
    int sync(File& file, bool with_folder);
    int remove(const char* name, bool with_folder);
    bool exists(const char* name) const;

  private:
    bool dead() const { return folder_ != disk_.folder_; }
    bool acts(Act what = Act::write);
    void give_back(std::uint64_t bytes);
    Disk& disk_;
    Life& life_;
    std::shared_ptr<Folder> folder_;
    std::string name_;
    std::unique_ptr<sqlite3_vfs> vfs_;
    int open_ = 0;
    bool used_ = false;
};

/// What SQLite calls.
struct Disk::Vfs {
    struct Handle {
        sqlite3_file base{};
        Mount* mount = nullptr;
        std::shared_ptr<File> file;
        bool new_name = false;  ///< the first sync of a journal syncs its name too
    };
    static Handle& handle(sqlite3_file* file) { return *reinterpret_cast<Handle*>(file); }
    static Mount& mount(sqlite3_vfs* vfs) { return *static_cast<Mount*>(vfs->pAppData); }
    static int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* made, int flags, int* given);
    static int close(sqlite3_file* file);
    static int read(sqlite3_file* file, void* to, int size, sqlite3_int64 at);
    static int write(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 at);
    static int sync(sqlite3_file* file, int how);
    static int chance(sqlite3_vfs* vfs, int size, char* to);
    static int time(sqlite3_vfs* vfs, sqlite3_int64* milliseconds);
    static const sqlite3_io_methods kFile;
    static sqlite3_vfs methods(Mount* mount);
};

Disk::Mount::Mount(Disk& disk, Life& life) : disk_(disk), life_(life), folder_(disk.folder_) {
    static std::atomic<std::uint64_t> made = 0;
    name_ = fmt::format("disk-{}", ++made);
    vfs_ = std::make_unique<sqlite3_vfs>(Vfs::methods(this));
    vfs_->zName = name_.c_str();
    sqlite3_vfs_register(vfs_.get(), 0);
}

Disk::Mount::~Mount() {
    SAGA_ASSERT(open_ == 0);
    sqlite3_vfs_unregister(vfs_.get());
}

/// What a process does when it is dead already, its ghost does.
bool Disk::Mount::acts(Act what) {
    if (dead()) return false;
    if (!life_.act(what) && !dead()) disk_.kill();
    return !dead();
}

void Disk::Mount::give_back(std::uint64_t bytes) {
    if (disk_.faults_.room != Faults::kNone) disk_.faults_.room += bytes;
}

std::shared_ptr<File> Disk::Mount::open(const char* name, int flags) {
    std::shared_ptr<File> file = name == nullptr ? std::make_shared<File>() : folder_->find(name);
    if (!file) {
        if ((flags & SQLITE_OPEN_CREATE) == 0) return nullptr;
        acts();
        file = folder_->make(name);
    }
    used_ = true;
    ++open_;
    return file;
}

int Disk::Mount::write(File& file, std::size_t at, std::span<const std::byte> bytes) {
    int code = SQLITE_OK;
    if (acts()) {
        Faults& faults = disk_.faults_;
        const std::size_t end = at + bytes.size();
        const std::size_t more = end - std::min(end, file.size());
        if (strikes(faults.good_writes)) {
            code = SQLITE_IOERR_WRITE;
            bytes = bytes.first(disk_.chance_.below(bytes.size() + 1));
        } else if (more > faults.room) {
            code = SQLITE_FULL;
            bytes = bytes.first(bytes.size() - std::min(bytes.size(), more - faults.room));
            faults.room = 0;
        } else if (faults.room != Faults::kNone) {
            faults.room -= more;
        }
    }
    if (!bytes.empty()) file.write(at, bytes);
    return code;
}

int Disk::Mount::truncate(File& file, std::size_t size) {
    if (acts() && size < file.size()) give_back(file.size() - size);
    file.truncate(size);
    return SQLITE_OK;
}

int Disk::Mount::sync(File& file, bool with_folder) {
    if (acts(Act::sync) && strikes(disk_.faults_.good_syncs)) {
        Survival survival(disk_.chance_);
        file.fail_sync(survival);
        return SQLITE_IOERR_FSYNC;
    }
    if (disk_.lies_) return SQLITE_OK;
    file.sync();
    if (with_folder) folder_->sync();
    return SQLITE_OK;
}

int Disk::Mount::remove(const char* name, bool with_folder) {
    const std::shared_ptr<File> file = folder_->find(name);
    if (!file) return SQLITE_IOERR_DELETE_NOENT;
    if (acts()) give_back(file->size());
    folder_->remove(name);
    if (with_folder) folder_->sync();
    return SQLITE_OK;
}

/// SQLite's own VFS does not see empty files either.
bool Disk::Mount::exists(const char* name) const {
    const std::shared_ptr<File> file = folder_->find(name);
    return file && file->size() > 0;
}

int Disk::Vfs::open(sqlite3_vfs* vfs, const char* name, sqlite3_file* made, int flags, int* given) {
    made->pMethods = nullptr;
    std::shared_ptr<File> file = mount(vfs).open(name, flags);
    if (!file) return SQLITE_CANTOPEN;
    auto* handle = new (made) Handle{.mount = &mount(vfs), .file = std::move(file)};
    handle->new_name = (flags & kJournals) != 0 && (flags & SQLITE_OPEN_CREATE) != 0;
    made->pMethods = &kFile;
    if (given != nullptr) *given = flags;
    return SQLITE_OK;
}

int Disk::Vfs::close(sqlite3_file* file) {
    Handle& closed = handle(file);
    closed.file->unlock(file, SQLITE_LOCK_NONE);
    closed.mount->closed();
    closed.~Handle();
    return SQLITE_OK;
}

int Disk::Vfs::read(sqlite3_file* file, void* to, int size, sqlite3_int64 at) {
    const std::span all(static_cast<std::byte*>(to), static_cast<std::size_t>(size));
    const std::size_t there = handle(file).file->read(static_cast<std::size_t>(at), all);
    return there == all.size() ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

int Disk::Vfs::write(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 at) {
    Handle& written = handle(file);
    const std::span all(static_cast<const std::byte*>(bytes), static_cast<std::size_t>(size));
    return written.mount->write(*written.file, static_cast<std::size_t>(at), all);
}

int Disk::Vfs::sync(sqlite3_file* file, int) {
    Handle& synced = handle(file);
    const int code = synced.mount->sync(*synced.file, synced.new_name);
    if (code == SQLITE_OK) synced.new_name = false;
    return code;
}

int Disk::Vfs::chance(sqlite3_vfs* vfs, int size, char* to) {
    for (int i = 0; i < size; ++i) to[i] = static_cast<char>(mount(vfs).disk().chance_.below(256));
    return size;
}

int Disk::Vfs::time(sqlite3_vfs* vfs, sqlite3_int64* milliseconds) {
    constexpr std::int64_t kUnixEpoch = 210'866'760'000'000;  // since noon of 24 November 4714 BC
    const core::StoreTime now = mount(vfs).disk().date_();
    *milliseconds =
        kUnixEpoch + std::chrono::floor<std::chrono::milliseconds>(now).time_since_epoch().count();
    return SQLITE_OK;
}

/// Version 1: without shared memory there is a WAL in locking_mode=EXCLUSIVE only.
const sqlite3_io_methods Disk::Vfs::kFile{
    .iVersion = 1,
    .xClose = &close,
    .xRead = &read,
    .xWrite = &write,
    .xTruncate =
        [](sqlite3_file* f, sqlite3_int64 size) {
            return handle(f).mount->truncate(*handle(f).file, static_cast<std::size_t>(size));
        },
    .xSync = &sync,
    .xFileSize =
        [](sqlite3_file* f, sqlite3_int64* size) {
            *size = static_cast<sqlite3_int64>(handle(f).file->size());
            return SQLITE_OK;
        },
    .xLock = [](sqlite3_file* f,
                int level) { return handle(f).file->lock(f, level) ? SQLITE_OK : SQLITE_BUSY; },
    .xUnlock =
        [](sqlite3_file* f, int level) {
            handle(f).file->unlock(f, level);
            return SQLITE_OK;
        },
    .xCheckReservedLock =
        [](sqlite3_file* f, int* held) {
            *held = static_cast<int>(handle(f).file->highest_lock() >= SQLITE_LOCK_RESERVED);
            return SQLITE_OK;
        },
    .xFileControl = [](sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; },
    .xSectorSize = [](sqlite3_file*) { return 4096; },  // as SQLite's own VFS says
    .xDeviceCharacteristics = [](sqlite3_file*) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; },
    .xShmMap = nullptr,
    .xShmLock = nullptr,
    .xShmBarrier = nullptr,
    .xShmUnmap = nullptr,
    .xFetch = nullptr,
    .xUnfetch = nullptr};

sqlite3_vfs Disk::Vfs::methods(Mount* mount) {
    sqlite3_vfs vfs{};
    vfs.iVersion = 2;
    vfs.szOsFile = sizeof(Handle);
    vfs.mxPathname = kLongestName;
    vfs.pAppData = mount;
    vfs.xOpen = &open;
    vfs.xDelete = [](sqlite3_vfs* v, const char* name, int sync) {
        return Vfs::mount(v).remove(name, sync != 0);
    };
    vfs.xAccess = [](sqlite3_vfs* v, const char* name, int, int* is) {
        *is = static_cast<int>(Vfs::mount(v).exists(name));
        return SQLITE_OK;
    };
    vfs.xFullPathname = [](sqlite3_vfs*, const char* name, int size, char* to) {
        if (std::strlen(name) >= static_cast<std::size_t>(size)) return SQLITE_CANTOPEN;
        std::strcpy(to, name);
        return SQLITE_OK;
    };
    vfs.xRandomness = &chance;
    vfs.xSleep = [](sqlite3_vfs*, int) { return SQLITE_OK; };
    vfs.xGetLastError = [](sqlite3_vfs*, int, char*) { return SQLITE_OK; };
    vfs.xCurrentTimeInt64 = &time;
    return vfs;
}

Disk::Disk(std::uint64_t seed, std::function<core::StoreTime()> date)
    : folder_(std::make_shared<Folder>()), chance_(seed), date_(std::move(date)) {}

Disk::~Disk() = default;

std::string Disk::mount(Life& life) {
    std::erase_if(mounts_, [](const auto& mount) { return mount->over(); });
    return mounts_.emplace_back(std::make_unique<Mount>(*this, life))->name();
}

void Disk::kill() {
    const bool seen = folder_.use_count() > 1;  // by a process
    if (seen) folder_ = std::make_shared<Folder>(folder_->copy());
}

void Disk::power_cut(Chance& chance) {
    kill();
    Survival survival(chance);
    folder_->cut(survival);
}

std::uint64_t Disk::bytes(std::string_view tail) const {
    std::uint64_t bytes = 0;
    for (const auto& [name, file] : folder_->names())
        if (name.ends_with(tail)) bytes += file->size();
    return bytes;
}

std::uint64_t Disk::memory() const {
    std::uint64_t all = 0;
    for (const auto& [name, file] : folder_->names()) all += file->memory();
    return all;
}

void Disk::restore(const Image& image) {
    rewind(image);
    folder_->sync_all();
}

}  // namespace saga::sim
