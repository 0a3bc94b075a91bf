// Signals as something to poll, for commands that run programs.
#pragma once

#include <csignal>

#include "saga/cli/process.hpp"

namespace saga::cli {

/// SIGINT, SIGTERM, SIGHUP and SIGCHLD as something to poll. Made before any thread, so that all
/// of them leave the signals to it.
class Signals {
  public:
    Signals();
    ~Signals();
    Signals(const Signals&) = delete;
    Signals& operator=(const Signals&) = delete;

    int fd() const { return descriptor_.get(); }
    /// How often it was asked to stop since the last look.
    int take_stops();

  private:
    sigset_t before_{};
    Descriptor descriptor_;
};

}  // namespace saga::cli
