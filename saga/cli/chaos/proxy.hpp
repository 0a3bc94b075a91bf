// What stands between a program and its broker: links that pass bytes on, or harm them.
#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <string_view>

#include "saga/cli/command.hpp"

namespace saga::cli {

enum class LinkFault : std::uint8_t {
    none,
    partition,  ///< nothing passes; what is sent meanwhile arrives later
    half_open,  ///< each connection that there is has lost its other end, and is not told
    delay,      ///< everything arrives late, in its order
    cut,        ///< the next bytes arrive by half, then their connection ends
    reset,      ///< each connection that there is ends at once
};

/// A thread of its own, which ends with it. Every method may be called from any thread.
class Proxy {
  public:
    /// Links lead to this port of 127.0.0.1. `seed`: of the delays' lengths.
    Proxy(std::uint16_t upstream, std::uint64_t seed);
    ~Proxy();
    Proxy(const Proxy&) = delete;
    Proxy& operator=(const Proxy&) = delete;

    /// Another link; its number. Throws Stop when no port is free.
    std::size_t add();
    std::size_t links() const;
    std::uint16_t port(std::size_t link) const;
    /// `half_open`, `cut` and `reset` happen once, to what is connected; the others last.
    void set(std::size_t link, LinkFault fault);
    /// Whether a `cut` still waits for something to cut.
    bool cutting(std::size_t link) const;
    /// Bytes that have passed on all links.
    std::uint64_t passed() const;

  private:
    class Loop;
    std::unique_ptr<Loop> loop_;
};

}  // namespace saga::cli
