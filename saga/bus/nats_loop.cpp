#include "saga/bus/nats_loop.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <utility>

namespace saga::bus {
namespace {

constexpr int kBuffer = 256 * 1024;  // bytes of one read: half a batch of pulled messages
constexpr int kReads = 8;            // of one poll(), so that a flood leaves room for work
constexpr int kLastReads = 1'000;    // of what had come before the end
constexpr auto kFirstPause = std::chrono::milliseconds(50);
constexpr int kDoublings = 5;  // pauses between attempts grow to 1.6 seconds

/// nats.c tells errors on a thread of its own, and may do so when the connection is gone and its
/// loop with it: they are told to a number, which leads to a loop while that lives. Never
/// destroyed, since that thread goes on until the process ends.
struct Living {
    std::mutex mutex;
    std::uintptr_t last = 0;
    std::map<std::uintptr_t, NatsLoop*> loops;
};
Living& living() {
    static auto& all = *new Living;
    return all;
}

std::uintptr_t enter(NatsLoop& loop) {
    Living& all = living();
    const std::lock_guard lock(all.mutex);
    all.loops.emplace(++all.last, &loop);
    return all.last;
}
void leave(std::uintptr_t number) {
    Living& all = living();
    const std::lock_guard lock(all.mutex);
    all.loops.erase(number);
}

}  // namespace

NatsLoop::NatsLoop(Address address, std::string name)
    : address_(std::move(address)),
      name_(std::move(name)),
      wake_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    SAGA_ASSERT(wake_ >= 0);
    options_for(address_, name_);  // a wrong address is said at once, not again and again
    number_ = enter(*this);
}

NatsLoop::~NatsLoop() {
    leave(number_);
    if (connecting_.joinable()) connecting_.join();
    if (connected_) {  // it was made and never taken
        connection_.reset(connected_->first);
        connected_.reset();
    }
    close();
    ::close(wake_);
}

/// natsConnection_Destroy would wait half a second for a PONG that nobody reads while we are here:
/// a connection that has seen its socket end is closed at once. What was flushed is still sent.
void NatsLoop::close() {
    if (!connection_) return;
    ::shutdown(socket_, SHUT_RDWR);
    for (int i = 0; i < kLastReads && !natsConnection_IsClosed(connection_.get()); ++i)
        natsConnection_ProcessReadEvent(connection_.get());
    connection_.reset();
    socket_ = -1;
    writes_ = false;
}

// ---- nats.c's side ------------------------------------------------------------------------------

natsStatus NatsLoop::attach(void** data, void* loop, natsConnection*, natsSock socket) {
    *data = loop;
    static_cast<NatsLoop*>(loop)->socket_ = socket;  // read after the connecting thread has ended
    return NATS_OK;
}
natsStatus NatsLoop::want_read(void*, bool) {
    return NATS_OK;
}
natsStatus NatsLoop::want_write(void* data, bool on) {
    static_cast<NatsLoop*>(data)->writes_ = on;
    return NATS_OK;
}
natsStatus NatsLoop::detach(void*) {
    return NATS_OK;
}

void NatsLoop::failed(natsConnection*, natsSubscription*, natsStatus status, void* number) {
    if (status != NATS_NOT_PERMITTED) return;
    Living& all = living();
    const std::lock_guard alive(all.mutex);
    const auto found = all.loops.find(reinterpret_cast<std::uintptr_t>(number));
    if (found == all.loops.end()) return;
    NatsLoop& self = *found->second;
    const std::lock_guard lock(self.mutex_);
    self.denied_.push_back(describe(status));
    self.wake();
}

// ---- connecting ---------------------------------------------------------------------------------

/// Blocks for up to the timeout, so it has a thread of its own.
void NatsLoop::connect() {
    if (connecting_.joinable()) connecting_.join();
    busy_ = true;
    connecting_ = std::thread([this] {
        natsConnection* made = nullptr;
        std::string why;
        try {
            const Nats<natsOptions> options = options_for(address_, name_);
            natsOptions_SetPingInterval(options.get(), 0);  // the reader's heartbeats say more
            natsOptions_SetIOBufSize(options.get(), kBuffer);
            natsOptions_SetErrorHandler(
                options.get(), &NatsLoop::failed,
                reinterpret_cast<void*>(number_));  // NOLINT(performance-no-int-to-ptr): a number
            check(natsOptions_SetEventLoop(options.get(), this, &attach, &want_read, &want_write,
                                           &detach),
                  "nats.c takes no event loop");
            const natsStatus status = natsConnection_Connect(&made, options.get());
            if (status != NATS_OK)
                why = fmt::format("no nats-server answers at {} ({})", address_.url,
                                  describe(status));
        } catch (const Error& error) {
            why = error.what();
        }
        const std::lock_guard lock(mutex_);
        connected_.emplace(made, why);
        wake();
    });
}

NatsLoop::Change NatsLoop::poll(Steady now) {
    if (!connection_) {
        if (!busy_ && now >= next_attempt_) connect();
        std::optional<std::pair<natsConnection*, std::string>> result;
        {
            const std::lock_guard lock(mutex_);
            std::swap(result, connected_);
        }
        if (!result) return Change::none;
        busy_ = false;
        if (result->first == nullptr) {
            why_ = result->second;
            next_attempt_ = now + kFirstPause * (1 << std::min(attempts_++, kDoublings));
            return Change::none;
        }
        connection_.reset(result->first);
        attempts_ = 0;
        dropped_ = false;
        return Change::connected;
    }
    for (int i = 0; i < kReads && !dropped_ && readable(); ++i) {
        natsConnection_ProcessReadEvent(connection_.get());
        if (!natsConnection_IsClosed(connection_.get())) continue;
        const char* text = nullptr;
        natsConnection_GetLastError(connection_.get(), &text);
        drop(text != nullptr && *text != '\0' ? text : "the broker closed the connection");
    }
    if (!dropped_ && natsConnection_IsClosed(connection_.get()))
        drop("the connection to the broker broke");
    if (!dropped_) return Change::none;
    close();
    next_attempt_ = now + kFirstPause;
    return Change::disconnected;
}

void NatsLoop::drop(const std::string& why) {
    dropped_ = true;
    why_ = why;
}

std::string NatsLoop::url() const {
    std::array<char, 256> text{};
    if (!connection_) return {};
    natsConnection_GetConnectedUrl(connection_.get(), text.data(), text.size());
    const std::string url(text.data());
    const auto at = url.rfind('@');  // what stands before it is a secret
    return at == std::string::npos ? url : "nats://" + url.substr(at + 1);
}

std::vector<std::string> NatsLoop::take_denied() {
    const std::lock_guard lock(mutex_);
    return std::exchange(denied_, {});
}

// ---- the socket ---------------------------------------------------------------------------------

bool NatsLoop::readable() const {
    pollfd watched{.fd = socket_, .events = POLLIN, .revents = 0};
    return ::poll(&watched, 1, 0) > 0;
}

void NatsLoop::flush() {
    if (connection_ && !dropped_ && writes_) natsConnection_ProcessWriteEvent(connection_.get());
}

void NatsLoop::wait(Steady until) {
    if (!connection_ && !busy_) until = std::min(until, next_attempt_);
    std::array<pollfd, 2> watched{
        {{.fd = wake_, .events = POLLIN, .revents = 0},
         {.fd = connection_ ? socket_ : -1, .events = POLLIN, .revents = 0}}};
    if (writes_) watched[1].events |= POLLOUT;
    timespec pause{};
    const timespec* limit = nullptr;
    if (until != Steady::max()) {
        const auto left = std::max(until - std::chrono::steady_clock::now(), Steady::duration{});
        const auto seconds = std::chrono::floor<std::chrono::seconds>(left);
        pause.tv_sec = seconds.count();
        pause.tv_nsec = (left - seconds).count();
        limit = &pause;
    }
    ::ppoll(watched.data(), watched.size(), limit, nullptr);
    if ((watched[0].revents & POLLIN) != 0) {
        std::uint64_t count = 0;
        if (::read(wake_, &count, sizeof count) < 0) SAGA_ASSERT(errno == EAGAIN);
    }
    if ((watched[1].revents & POLLOUT) != 0) flush();
}

void NatsLoop::wake() {
    const std::uint64_t one = 1;
    if (::write(wake_, &one, sizeof one) < 0) return;  // full: it is awake already
}

}  // namespace saga::bus
