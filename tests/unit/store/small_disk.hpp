// A disk with so much room, and no more: a VFS of SQLite.
#pragma once

#include <cstdint>
#include <string>

namespace saga::test {

/// While it lives, databases that are opened with vfs() have `room` bytes left to write on; what
/// does not fit is refused as a full disk does. One at a time; one thread.
class SmallDisk {
  public:
    SmallDisk();
    ~SmallDisk();
    SmallDisk(const SmallDisk&) = delete;
    SmallDisk& operator=(const SmallDisk&) = delete;

    const std::string& vfs() const;
    void set_room(std::int64_t bytes);
};

}  // namespace saga::test
