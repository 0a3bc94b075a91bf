#include "saga/cli/signals.hpp"

#include <pthread.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace saga::cli {

Signals::Signals() {
    sigset_t ours;
    sigemptyset(&ours);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGCHLD}) sigaddset(&ours, signal);
    ::pthread_sigmask(SIG_BLOCK, &ours, &before_);
    ::signal(SIGPIPE, SIG_IGN);
    descriptor_.reset(::signalfd(-1, &ours, SFD_NONBLOCK | SFD_CLOEXEC));
}

Signals::~Signals() {
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

int Signals::take_stops() {
    int stops = 0;
    signalfd_siginfo info{};
    while (::read(descriptor_.get(), &info, sizeof info) == sizeof info)
        if (info.ssi_signo != SIGCHLD) ++stops;
    return stops;
}

}  // namespace saga::cli
