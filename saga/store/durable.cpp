#include "saga/store/durable.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <saga/error.hpp>

namespace saga::store {
namespace {

[[noreturn]] void fail(std::string_view doing, const std::string& path) {
    throw Error(fmt::format("cannot {} {}: {}", doing, path, std::strerror(errno)));
}

void sync(const std::string& path, int flags) {
    const int file = ::open(path.c_str(), flags | O_CLOEXEC);
    const bool durable = file >= 0 && ::fsync(file) == 0;
    const int why = errno;
    if (file >= 0) ::close(file);
    errno = why;
    if (!durable) fail("make durable", path);
}

}  // namespace

void sync_file(const std::string& path) {
    sync(path, O_RDONLY);
}

void sync_folder(const std::string& path) {
    sync(path, O_RDONLY | O_DIRECTORY);
}

void rename_durably(const std::string& from, const std::string& to) {
    if (std::rename(from.c_str(), to.c_str()) != 0) fail("give its name to", to);
    sync_folder(std::filesystem::absolute(to).parent_path().string());
}

void name_durably(const std::string& from, const std::string& to) {
    if (::link(from.c_str(), to.c_str()) != 0 && errno != EEXIST) fail("give its name to", to);
    ::unlink(from.c_str());
    sync_folder(std::filesystem::absolute(to).parent_path().string());
}

void write_private(const std::string& path, std::string_view content) {
    ::unlink(path.c_str());
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0) fail("make", path);
    const bool written =
        ::write(file, content.data(), content.size()) == static_cast<ssize_t>(content.size());
    const bool durable = written && ::fsync(file) == 0;
    const int why = errno;
    ::close(file);
    errno = why;
    if (!durable) fail("write", path);
}

}  // namespace saga::store
