// Ctrl-C, for commands that go on until then.
#pragma once

namespace saga::cli {

/// While it lives, a first SIGINT or SIGTERM is noted instead of ending the process; a second ends
/// it. One at a time.
class Interrupt {
  public:
    Interrupt();
    ~Interrupt();
    Interrupt(const Interrupt&) = delete;
    Interrupt& operator=(const Interrupt&) = delete;

    bool asked() const;
};

}  // namespace saga::cli
