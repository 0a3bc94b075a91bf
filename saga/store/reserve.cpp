#include "saga/store/reserve.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <utility>

namespace saga::store {

Reserve::Reserve(std::string path, std::uint64_t bytes)
    : path_(std::move(path)), bytes_(bytes), held_(bytes == 0) {}

bool Reserve::take() noexcept {
    if (held_) return true;
    const int file = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0) return false;
    // fallocate takes blocks; a file that is merely long has none.
    held_ = ::posix_fallocate(file, 0, static_cast<off_t>(bytes_)) == 0 && ::fsync(file) == 0;
    ::close(file);
    if (!held_) ::unlink(path_.c_str());  // what it could get is room for others
    return held_;
}

void Reserve::give_up() noexcept {
    if (bytes_ == 0) return;
    ::unlink(path_.c_str());
    held_ = false;
}

}  // namespace saga::store
