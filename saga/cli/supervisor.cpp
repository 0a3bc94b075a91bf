#include "saga/cli/supervisor.hpp"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

#include "saga/cli/words.hpp"

namespace saga::cli {
namespace {

using namespace std::chrono_literals;

constexpr auto kFirstPause = 100ms;
constexpr auto kSteady = 30s;
constexpr auto kLook = 50ms;  // at a group whose leader has gone and whose others stop
constexpr int kReads = 16;    // pieces of one turn, so that a chatterer leaves room for others

}  // namespace

std::chrono::milliseconds Backoff::next(std::chrono::nanoseconds was_up) {
    if (was_up >= kSteady) pause_ = 0ms;
    pause_ = pause_ == 0ms ? kFirstPause : std::min<std::chrono::milliseconds>(2 * pause_, last_);
    return pause_;
}

Supervisor::Supervisor(Guard& guard, OnLine on_line, OnRemark on_remark, Backoff backoff)
    : guard_(guard),
      on_line_(std::move(on_line)),
      on_remark_(std::move(on_remark)),
      backoff_(backoff) {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);  // what a program leaves behind is ours to reap
}

std::size_t Supervisor::add(std::string name, Launch launch) {
    auto ward = std::make_unique<Ward>();
    ward->name = std::move(name);
    ward->launch = std::move(launch);
    ward->backoff = backoff_;
    wards_.push_back(std::move(ward));
    return wards_.size() - 1;
}

std::size_t Supervisor::add_once(std::string name, Launch launch) {
    const std::size_t program = add(std::move(name), std::move(launch));
    wards_[program]->once = true;
    return program;
}

void Supervisor::turn(Steady now, bool hold) {
    reap();
    for (std::size_t i = 0; i < wards_.size(); ++i) {
        if (!hold) read(i);
        settle(i, now, hold);
        const Ward& ward = *wards_[i];
        if (ward.wanted && ward.group == 0 && now >= ward.due) begin(i, now);
    }
}

std::vector<int> Supervisor::poll_on() const {
    std::vector<int> descriptors;
    for (const auto& ward : wards_)
        if (ward->child.output) descriptors.push_back(ward->child.output.get());
    return descriptors;
}

Steady Supervisor::next_due() const {
    Steady next = Steady::max();
    for (const auto& ward : wards_) {
        if (ward->wanted && ward->group == 0) next = std::min(next, ward->due);
        if (ward->status && ward->group != 0)
            next = std::min(next, std::chrono::steady_clock::now() + kLook);
    }
    return next;
}

void Supervisor::stop(std::size_t program) {
    Ward& ward = *wards_[program];
    ward.wanted = false;
    if (ward.group != 0) ::kill(-ward.group, SIGTERM);
}

void Supervisor::kill(std::size_t program) {
    Ward& ward = *wards_[program];
    ward.wanted = false;
    ward.discard = true;
    if (ward.group != 0) ::kill(-ward.group, SIGKILL);
}

void Supervisor::start_again(std::size_t program) {
    Ward& ward = *wards_[program];
    SAGA_ASSERT(gone(program));
    ward.wanted = true;
    ward.discard = ward.struck = false;
    ward.due = {};
}

void Supervisor::strike(std::size_t program) {
    Ward& ward = *wards_[program];
    if (ward.group == 0 || !ward.wanted) return;
    ward.struck = true;
    ::kill(-ward.group, SIGKILL);
}

void Supervisor::signal(std::size_t program, int number) const {
    const Ward& ward = *wards_[program];
    if (ward.group != 0) ::kill(-ward.group, number);
}

std::optional<int> Supervisor::ended(std::size_t program) const {
    const Ward& ward = *wards_[program];
    return ward.group == 0 ? ward.last_status : std::nullopt;
}

bool Supervisor::gone(std::size_t program) const {
    const Ward& ward = *wards_[program];
    return ward.group == 0 && !ward.child.output;
}

bool Supervisor::runs(std::size_t program) const {
    const Ward& ward = *wards_[program];
    return ward.group != 0 && !ward.status;
}

bool Supervisor::revives(std::size_t program) const {
    const Ward& ward = *wards_[program];
    return ward.wanted && (ward.group == 0 || ward.status || ward.struck);
}

Steady Supervisor::since(std::size_t program) const {
    return wards_[program]->since;
}

void Supervisor::begin(std::size_t program, Steady now) {
    Ward& ward = *wards_[program];
    ward.since = now;
    try {
        ward.child = start(ward.launch, guard_);
        ward.group = ward.child.pid;
        ward.wanted = !ward.once;
    } catch (const Stop& failure) {
        ++ward.deaths;
        ward.due = now + ward.backoff.next(0ns);
        ward.wanted = !ward.once;
        ward.last_status = 127 << 8;  // as a shell says it
        on_remark_(program, failure.what());
    }
}

/// Whether there may be more.
bool Supervisor::read(std::size_t program) {
    Ward& ward = *wards_[program];
    std::array<char, 16 * 1024> piece{};
    const auto each = [&](std::string_view line) { on_line_(program, line); };
    for (int i = 0; i < kReads && ward.child.output; ++i) {
        const ssize_t size = ::read(ward.child.output.get(), piece.data(), piece.size());
        if (size > 0) {
            ward.lines.add({piece.data(), static_cast<std::size_t>(size)}, each);
            continue;
        }
        if (size < 0 && errno == EINTR) continue;
        if (size < 0 && errno == EAGAIN) return false;
        ward.lines.flush(each);
        ward.child.output.reset();
    }
    return static_cast<bool>(ward.child.output);
}

void Supervisor::reap() {
    int status = 0;
    for (pid_t pid = 0; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;)
        for (const auto& ward : wards_)
            if (ward->child.pid == pid) ward->status = status;
}

/// Of one whose leader has ended: sees that nobody of its group stays, and says so.
void Supervisor::settle(std::size_t program, Steady now, bool hold) {
    Ward& ward = *wards_[program];
    if (!ward.status || ward.group == 0) return;
    if (ward.wanted || ward.once) ::kill(-ward.group, SIGKILL);
    if (::kill(-ward.group, 0) == 0 || errno != ESRCH) return;  // some are still on their way out
    if (!ward.discard && (hold || read(program))) return;       // its last words come first
    ward.lines.flush([&](std::string_view line) { on_line_(program, line); });
    ward.child.output.reset();  // whoever still holds the other end has left the group
    guard_.forget(ward.group);
    ward.group = 0;
    ward.child.pid = 0;
    const int status = *std::exchange(ward.status, std::nullopt);
    ward.last_status = status;
    const auto up = now - ward.since;
    if (!ward.wanted) return;
    if (std::exchange(ward.struck, false)) {
        ward.due = now;
        return;
    }
    ++ward.deaths;
    const auto pause = ward.backoff.next(up);
    ward.due = now + pause;
    on_remark_(program, fmt::format("ended with {} after {}; starts again in {}", ending(status),
                                    brief(up), brief(pause)));
}

}  // namespace saga::cli
