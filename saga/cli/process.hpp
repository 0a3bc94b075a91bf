// Child processes that never outlive this program, whatever becomes of it.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "saga/cli/command.hpp"

namespace saga::cli {

/// A file descriptor that closes itself.
class Descriptor {
  public:
    explicit Descriptor(int fd = -1) : fd_(fd) {}
    ~Descriptor() { reset(); }
    Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        reset(std::exchange(other.fd_, -1));
        return *this;
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;

    int get() const { return fd_; }
    explicit operator bool() const { return fd_ >= 0; }
    void reset(int fd = -1);

  private:
    int fd_;
};

struct Launch {
    std::filesystem::path program;
    std::vector<std::string> args;
    std::vector<std::string> env;  ///< NAME=value: all of them
    std::filesystem::path folder;  ///< where it works; empty: where we do
};

/// Leads a process group of its own.
struct Child {
    pid_t pid = 0;
    Descriptor output;  ///< stdout and stderr, non-blocking
};

/// A process beside this one that, when this one has gone for whatever reason, kills with SIGKILL
/// every group that it was told of. Make it before any thread.
class Guard {
  public:
    Guard();
    ~Guard();  ///< Waits for it.
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;

    void watch(pid_t group) { tell(group); }
    void forget(pid_t group) { tell(-group); }

  private:
    void tell(pid_t word);
    Descriptor pipe_;
    pid_t pid_ = 0;
};

/// The child dies with the calling thread. Throws Stop when it cannot be started.
Child start(const Launch& launch, Guard& guard);

/// "code 1", "signal 11 (Segmentation fault)", of waitpid's status.
std::string ending(int status);

}  // namespace saga::cli
