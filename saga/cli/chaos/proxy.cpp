#include "saga/cli/chaos/proxy.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <deque>
#include <list>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "saga/cli/process.hpp"

namespace saga::cli {
namespace {

using Steady = std::chrono::steady_clock::time_point;

constexpr std::size_t kMostWaiting = 1 << 20;  // bytes of one direction; then the sender waits
constexpr std::size_t kPiece = 64 * 1024;
constexpr int kBacklog = 64;
constexpr int kLeastDelay = 10, kMostDelay = 250;  // milliseconds

sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

Descriptor tcp_socket() {
    return Descriptor(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

void without_delay(int fd) {
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

/// Its other end is told with a reset, not with an end.
void reset_on_close(int fd) {
    const linger now{1, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

/// Bytes on their way in one direction.
struct Flow {
    struct Piece {
        Steady due;
        std::string bytes;
        std::size_t written = 0;
    };
    std::deque<Piece> pieces;
    std::size_t waiting = 0;

    void add(std::string_view bytes, Steady due) {
        if (!pieces.empty()) due = std::max(due, pieces.back().due);
        waiting += bytes.size();
        pieces.push_back({due, std::string(bytes)});
    }
    bool due(Steady now) const { return !pieces.empty() && pieces.front().due <= now; }

    /// Writes what is due. False when the connection has ended.
    bool write(int fd, Steady now, std::uint64_t& passed) {
        while (due(now)) {
            Piece& piece = pieces.front();
            const std::string_view rest = std::string_view(piece.bytes).substr(piece.written);
            const ssize_t size = ::send(fd, rest.data(), rest.size(), MSG_NOSIGNAL);
            if (size < 0) return errno == EAGAIN || errno == EINTR;
            passed += static_cast<std::uint64_t>(size);
            waiting -= static_cast<std::size_t>(size);
            piece.written += static_cast<std::size_t>(size);
            if (piece.written == piece.bytes.size()) pieces.pop_front();
        }
        return true;
    }
};

struct Connection {
    std::size_t link;
    Descriptor client, server;
    Flow up, down;      // up: to the server
    bool deaf = false;  // its other end has gone, and it is not told
    bool over = false;
};

struct Link {
    Descriptor listener;
    std::uint16_t port = 0;
    LinkFault fault = LinkFault::none;
    bool lost = false, cut = false, reset = false;  // to be done once
};

}  // namespace

class Proxy::Loop {
  public:
    Loop(std::uint16_t upstream, std::uint64_t seed)
        : upstream_(upstream),
          random_(seed),
          wake_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
          thread_([this](const std::stop_token& stop) { run(stop); }) {}
    ~Loop() {
        thread_.request_stop();
        wake();
        thread_.join();
    }

    std::size_t add() {
        Link link{.listener = tcp_socket()};
        sockaddr_in address = loopback(0);
        socklen_t size = sizeof address;
        auto* any = reinterpret_cast<sockaddr*>(&address);
        if (::bind(link.listener.get(), any, size) != 0 ||
            ::listen(link.listener.get(), kBacklog) != 0 ||
            ::getsockname(link.listener.get(), any, &size) != 0)
            throw Stop(kError, "no port of 127.0.0.1 is free");
        link.port = ntohs(address.sin_port);
        const std::lock_guard lock(mutex_);
        links_.push_back(std::move(link));
        wake();
        return links_.size() - 1;
    }

    std::size_t links() {
        const std::lock_guard lock(mutex_);
        return links_.size();
    }
    template <class Work>
    auto with(std::size_t link, Work work) {
        const std::lock_guard lock(mutex_);
        wake();
        return work(links_.at(link));
    }
    std::uint64_t passed() {
        const std::lock_guard lock(mutex_);
        return passed_;
    }

  private:
    void wake() {
        const std::uint64_t one = 1;
        [[maybe_unused]] const ssize_t said = ::write(wake_.get(), &one, sizeof one);
    }

    void run(const std::stop_token& stop) {
        std::vector<pollfd> all;
        while (!stop.stop_requested()) {
            {
                const std::lock_guard lock(mutex_);
                all = interests(std::chrono::steady_clock::now());
            }
            ::poll(all.data(), all.size(), patience());
            std::uint64_t woken = 0;
            [[maybe_unused]] const ssize_t size = ::read(wake_.get(), &woken, sizeof woken);
            const std::lock_guard lock(mutex_);
            turn(std::chrono::steady_clock::now());
        }
    }

    int patience() const {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(
            next_due_ - std::chrono::steady_clock::now());
        return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 1'000));
    }

    std::vector<pollfd> interests(Steady now) {
        std::vector<pollfd> all{{wake_.get(), POLLIN, 0}};
        next_due_ = now + std::chrono::seconds(1);
        for (const Link& link : links_)
            if (link.fault != LinkFault::partition) all.push_back({link.listener.get(), POLLIN, 0});
        for (const Connection& each : connections_) {
            if (links_[each.link].fault == LinkFault::partition) continue;
            const auto want = [&](int fd, const Flow& in, const Flow& out) {
                short events = 0;
                if (in.waiting < kMostWaiting) events |= POLLIN;
                if (out.due(now)) events |= POLLOUT;
                if (!out.pieces.empty()) next_due_ = std::min(next_due_, out.pieces.front().due);
                if (fd >= 0 && events != 0) all.push_back({fd, events, 0});
            };
            want(each.client.get(), each.up, each.down);
            if (!each.deaf) want(each.server.get(), each.down, each.up);
        }
        return all;
    }

    void turn(Steady now) {
        for (std::size_t i = 0; i < links_.size(); ++i)
            if (links_[i].fault != LinkFault::partition) accept(i);
        for (Connection& each : connections_) {
            Link& link = links_[each.link];
            if (link.fault == LinkFault::partition) continue;
            if (link.reset) end(each, true);
            if (link.lost && !each.deaf) lose(each);
            if (!each.over) move(each, link, now);
        }
        for (Link& link : links_) link.reset = link.lost = false;
        connections_.remove_if([](const Connection& each) { return each.over; });
    }

    void accept(std::size_t link) {
        while (true) {
            Descriptor client(::accept4(links_[link].listener.get(), nullptr, nullptr,
                                        SOCK_NONBLOCK | SOCK_CLOEXEC));
            if (!client) return;
            Descriptor server = tcp_socket();
            const sockaddr_in address = loopback(upstream_);
            const int result = ::connect(server.get(), reinterpret_cast<const sockaddr*>(&address),
                                         sizeof address);
            if (result != 0 && errno != EINPROGRESS) continue;  // the broker is not there
            without_delay(client.get());
            without_delay(server.get());
            connections_.push_back(
                {.link = link, .client = std::move(client), .server = std::move(server)});
        }
    }

    void move(Connection& each, Link& link, Steady now) {
        const bool alive = read(each, each.client.get(), each.up, link, now) &&
                           (each.deaf || read(each, each.server.get(), each.down, link, now));
        if (!alive) each.over = true;
        if (each.deaf) return each.up.pieces.clear(), void(each.up.waiting = 0);
        // What was read before an end still arrives.
        if (!each.down.write(each.client.get(), now, passed_) ||
            !each.up.write(each.server.get(), now, passed_))
            each.over = true;
    }

    /// False when the connection has ended.
    bool read(Connection& each, int fd, Flow& flow, Link& link, Steady now) {
        std::array<char, kPiece> piece;
        while (flow.waiting < kMostWaiting) {
            const ssize_t size = ::recv(fd, piece.data(), piece.size(), 0);
            if (size < 0) return errno == EAGAIN || errno == EINTR || errno == ENOTCONN;
            if (size == 0) return false;
            auto bytes = std::string_view(piece.data(), static_cast<std::size_t>(size));
            if (link.cut && !each.deaf && bytes.size() > 1) {
                link.cut = false;
                flow.add(bytes.substr(0, bytes.size() / 2), now);
                return false;
            }
            Steady due = now;
            if (link.fault == LinkFault::delay)
                due += std::chrono::milliseconds(
                    std::uniform_int_distribution(kLeastDelay, kMostDelay)(random_));
            flow.add(bytes, due);
        }
        return true;
    }

    void end(Connection& each, bool with_reset) {
        if (with_reset) {
            reset_on_close(each.client.get());
            if (each.server) reset_on_close(each.server.get());
        }
        each.over = true;
    }

    void lose(Connection& each) {
        each.deaf = true;
        reset_on_close(each.server.get());
        each.server.reset();
        each.up = each.down = {};
    }

    const std::uint16_t upstream_;
    std::mt19937_64 random_;
    const Descriptor wake_;
    std::mutex mutex_;  // what follows
    std::vector<Link> links_;
    std::list<Connection> connections_;
    std::uint64_t passed_ = 0;
    Steady next_due_{};
    std::jthread thread_;  // the last: it uses all of them
};

Proxy::Proxy(std::uint16_t upstream, std::uint64_t seed)
    : loop_(std::make_unique<Loop>(upstream, seed)) {}
Proxy::~Proxy() = default;

std::size_t Proxy::add() {
    return loop_->add();
}

std::size_t Proxy::links() const {
    return loop_->links();
}

std::uint16_t Proxy::port(std::size_t link) const {
    return loop_->with(link, [](const Link& each) { return each.port; });
}

void Proxy::set(std::size_t link, LinkFault fault) {
    loop_->with(link, [&](Link& each) {
        const bool lasts = fault == LinkFault::partition || fault == LinkFault::delay;
        each.fault = lasts ? fault : LinkFault::none;
        each.lost = each.lost || fault == LinkFault::half_open;
        each.reset = each.reset || fault == LinkFault::reset;
        each.cut = fault == LinkFault::cut;
    });
}

bool Proxy::cutting(std::size_t link) const {
    return loop_->with(link, [](const Link& each) { return each.cut; });
}

std::uint64_t Proxy::passed() const {
    return loop_->passed();
}

}  // namespace saga::cli
