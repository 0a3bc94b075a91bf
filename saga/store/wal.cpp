#include "saga/store/wal.hpp"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "saga/store/database.hpp"

namespace saga::store {
namespace {

constexpr std::int64_t kHeader = 32,
                       kFrameHeader = 24;  // https://sqlite.org/fileformat2.html#walformat
constexpr std::uint32_t kMagic = 0x377F0682;

/// A file as SQLite's VFS has it, for reading; nothing where there is none.
class File {
  public:
    File(sqlite3_vfs* vfs, const std::string& path, int kind)
        : memory_(static_cast<std::size_t>(vfs->szOsFile) / 8 + 1),
          file_(reinterpret_cast<sqlite3_file*>(memory_.data())) {
        int there = 0;
        vfs->xAccess(vfs, path.c_str(), SQLITE_ACCESS_EXISTS, &there);
        if (there != 0 &&
            vfs->xOpen(vfs, path.c_str(), file_, SQLITE_OPEN_READONLY | kind, nullptr) == SQLITE_OK)
            file_->pMethods->xFileSize(file_, &size_);
    }
    ~File() {
        if (file_->pMethods != nullptr) file_->pMethods->xClose(file_);
    }
    File(const File&) = delete;
    File& operator=(const File&) = delete;

    std::int64_t size() const { return size_; }
    void read(std::vector<std::uint8_t>& to, std::int64_t at) const {
        const int code = file_->pMethods->xRead(file_, to.data(), static_cast<int>(to.size()), at);
        if (code != SQLITE_OK) throw Broken(fmt::format("its WAL cannot be read at {}", at));
    }

  private:
    std::vector<std::uint64_t> memory_;
    sqlite3_file* file_;
    sqlite3_int64 size_ = 0;
};

std::uint32_t big(const std::uint8_t* at) {
    return std::uint32_t{at[0]} << 24 | std::uint32_t{at[1]} << 16 | std::uint32_t{at[2]} << 8 |
           at[3];
}
std::uint32_t little(const std::uint8_t* at) {
    return std::uint32_t{at[3]} << 24 | std::uint32_t{at[2]} << 16 | std::uint32_t{at[1]} << 8 |
           at[0];
}

struct Sum {
    std::uint32_t first = 0, second = 0;
    bool operator==(const Sum&) const = default;
};
Sum sum_at(const std::uint8_t* at) {
    return {big(at), big(at + 4)};
}

/// The log's cumulative checksum, over whole words of 8 bytes.
Sum continued(Sum sum, const std::uint8_t* at, std::size_t size, bool big_end) {
    for (std::size_t i = 0; i + 8 <= size; i += 8) {
        sum.first += (big_end ? big(at + i) : little(at + i)) + sum.second;
        sum.second += (big_end ? big(at + i + 4) : little(at + i + 4)) + sum.first;
    }
    return sum;
}

/// Walks the frames. Each carries the checksum of all up to it, so that a frame behind a damaged
/// one still shows whether it was written after the frame before it.
void walk(const File& log, const std::vector<std::uint8_t>& header) {
    const bool big_end = (big(header.data()) & 1) != 0;
    const std::uint32_t page = big(header.data() + 8);
    std::vector<std::uint8_t> frame(static_cast<std::size_t>(kFrameHeader) + page);
    Sum before = sum_at(header.data() + 24);
    std::int64_t broken_at = 0;
    bool commit_behind = false;
    for (std::int64_t at = kHeader; at + std::ssize(frame) <= log.size(); at += std::ssize(frame)) {
        log.read(frame, at);
        const bool ours = std::equal(frame.begin() + 8, frame.begin() + 16, header.begin() + 16);
        const Sum stored = sum_at(frame.data() + 16);
        const Sum sum = continued(continued(before, frame.data(), 8, big_end),
                                  frame.data() + kFrameHeader, page, big_end);
        const bool follows = ours && sum == stored;
        if (!follows && broken_at == 0) broken_at = at;
        if (follows && commit_behind)
            throw Broken(fmt::format("its WAL is damaged at byte {}, and commits stand behind it",
                                     broken_at));
        if (broken_at != 0 && ours && big(frame.data() + 4) != 0) commit_behind = true;
        before = stored;
    }
}

}  // namespace

void inspect_wal(const std::string& path, const std::string& vfs) {
    sqlite3_vfs* disk = sqlite3_vfs_find(vfs.empty() ? nullptr : vfs.c_str());
    SAGA_ASSERT(disk != nullptr);
    std::vector<char> full(static_cast<std::size_t>(disk->mxPathname) + 1);
    const int named =
        disk->xFullPathname(disk, path.c_str(), static_cast<int>(full.size()), full.data());
    if ((named & 0xFF) != SQLITE_OK) return;  // the one who opens it says why
    const std::string name = full.data();
    const File log(disk, name + "-wal", SQLITE_OPEN_WAL);
    if (log.size() < kHeader + kFrameHeader + 512) return;  // a header is durable before a frame is
    if (File(disk, name, SQLITE_OPEN_MAIN_DB).size() == 0)
        throw Broken("the file is empty, and its WAL is not");
    std::vector<std::uint8_t> header(kHeader);
    log.read(header, 0);
    const std::uint32_t page = big(header.data() + 8);
    const bool sound = (big(header.data()) & ~1u) == kMagic && page >= 512 && page <= 65'536 &&
                       continued({}, header.data(), 24, (big(header.data()) & 1) != 0) ==
                           sum_at(header.data() + 24);
    if (!sound) throw Broken("the header of its WAL is damaged");
    walk(log, header);
}

}  // namespace saga::store
