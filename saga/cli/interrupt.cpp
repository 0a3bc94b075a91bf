#include "saga/cli/interrupt.hpp"

#include <unistd.h>

#include <csignal>

#include "saga/cli/command.hpp"

namespace saga::cli {
namespace {

volatile std::sig_atomic_t signals = 0;

extern "C" void count_signal(int) {
    if (signals != 0) ::_exit(kInterrupted);
    signals = 1;
}

void handle(void (*handler)(int)) {
    struct sigaction action {};
    action.sa_handler = handler;
    ::sigaction(SIGINT, &action, nullptr);
    ::sigaction(SIGTERM, &action, nullptr);
}

}  // namespace

Interrupt::Interrupt() {
    signals = 0;
    handle(&count_signal);
}
Interrupt::~Interrupt() {
    handle(SIG_DFL);
}
bool Interrupt::asked() const {
    return signals != 0;
}

}  // namespace saga::cli
