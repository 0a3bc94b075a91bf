#include "tests/unit/store/failing_disk.hpp"

#include <sqlite3.h>

#include <new>

namespace saga::test {
namespace {

const std::string kName = "failing-disk";
std::int64_t calls_left = -1;
bool stays_broken = false;

bool broken() {
    if (calls_left > 0) return --calls_left, false;
    if (calls_left < 0) return false;
    if (!stays_broken) calls_left = -1;
    return true;
}

struct File {
    sqlite3_file base;
    sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};
sqlite3_file* real(sqlite3_file* file) {
    return reinterpret_cast<File*>(file)->real();
}

int write(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 at) {
    if (broken()) return SQLITE_IOERR_WRITE;
    return real(file)->pMethods->xWrite(real(file), bytes, size, at);
}

/// Version 1: in locking_mode=EXCLUSIVE a WAL needs no shared memory.
const sqlite3_io_methods kMethods{
    .iVersion = 1,
    .xClose = [](sqlite3_file* f) { return real(f)->pMethods->xClose(real(f)); },
    .xRead = [](sqlite3_file* f, void* to, int size,
                sqlite3_int64 at) { return real(f)->pMethods->xRead(real(f), to, size, at); },
    .xWrite = &write,
    .xTruncate =
        [](sqlite3_file* f, sqlite3_int64 size) {
            if (broken()) return SQLITE_IOERR_TRUNCATE;
            return real(f)->pMethods->xTruncate(real(f), size);
        },
    .xSync =
        [](sqlite3_file* f, int how) {
            if (broken()) return SQLITE_IOERR_FSYNC;
            return real(f)->pMethods->xSync(real(f), how);
        },
    .xFileSize = [](sqlite3_file* f,
                    sqlite3_int64* size) { return real(f)->pMethods->xFileSize(real(f), size); },
    .xLock = [](sqlite3_file* f, int how) { return real(f)->pMethods->xLock(real(f), how); },
    .xUnlock = [](sqlite3_file* f, int how) { return real(f)->pMethods->xUnlock(real(f), how); },
    .xCheckReservedLock =
        [](sqlite3_file* f, int* held) {
            return real(f)->pMethods->xCheckReservedLock(real(f), held);
        },
    .xFileControl = [](sqlite3_file* f, int what,
                       void* with) { return real(f)->pMethods->xFileControl(real(f), what, with); },
    .xSectorSize = [](sqlite3_file* f) { return real(f)->pMethods->xSectorSize(real(f)); },
    .xDeviceCharacteristics =
        [](sqlite3_file* f) { return real(f)->pMethods->xDeviceCharacteristics(real(f)); },
    .xShmMap = nullptr,
    .xShmLock = nullptr,
    .xShmBarrier = nullptr,
    .xShmUnmap = nullptr,
    .xFetch = nullptr,
    .xUnfetch = nullptr};

int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* given) {
    auto* under = static_cast<sqlite3_vfs*>(vfs->pAppData);
    file->pMethods = nullptr;
    const int code = under->xOpen(under, name, real(file), flags, given);
    if (code == SQLITE_OK) file->pMethods = &kMethods;
    return code;
}

sqlite3_vfs& failing_disk() {
    static sqlite3_vfs vfs = [] {
        sqlite3_vfs* under = sqlite3_vfs_find(nullptr);
        sqlite3_vfs made = *under;
        made.szOsFile = static_cast<int>(sizeof(File)) + under->szOsFile;
        made.zName = kName.c_str();
        made.pAppData = under;
        made.pNext = nullptr;
        made.xOpen = &open;
        return made;
    }();
    return vfs;
}

}  // namespace

FailingDisk::FailingDisk() {
    sqlite3_vfs_register(&failing_disk(), 0);
    calls_left = -1;
}

FailingDisk::~FailingDisk() {
    sqlite3_vfs_unregister(&failing_disk());
}

const std::string& FailingDisk::vfs() const {
    return kName;
}

void FailingDisk::fail_after(std::int64_t calls, bool stays) {
    calls_left = calls;
    stays_broken = stays;
}

}  // namespace saga::test
