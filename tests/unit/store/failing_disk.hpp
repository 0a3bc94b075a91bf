// A disk that fails, below real files, which outlive the process: a VFS of SQLite.
#pragma once

#include <cstdint>
#include <string>

namespace saga::test {

/// While it lives, databases that are opened with vfs() stand on a disk that can fail. One at a
/// time; one thread.
class FailingDisk {
  public:
    FailingDisk();
    ~FailingDisk();
    FailingDisk(const FailingDisk&) = delete;
    FailingDisk& operator=(const FailingDisk&) = delete;

    const std::string& vfs() const;
    /// Of the writes, truncations and syncs from here on, the first `calls` do well; then one fails
    /// with an I/O error, or, where it `stays` so, every one.
    void fail_after(std::int64_t calls, bool stays);
};

}  // namespace saga::test
