// The links of saga chaos: what arrives, what does not, and what an end is told.
#include "saga/cli/chaos/proxy.hpp"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "saga/bus/nats_client.hpp"
#include "saga/cli/chaos/told.hpp"
#include "saga/cli/process.hpp"
#include "tests/integration/broker.hpp"

using namespace saga::cli;
using namespace std::chrono_literals;

namespace {

sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

/// Somebody who listens, and keeps whoever came last.
class Upstream {
  public:
    Upstream() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address = loopback(0);
        socklen_t size = sizeof address;
        auto* any = reinterpret_cast<sockaddr*>(&address);
        REQUIRE(::bind(listener_.get(), any, size) == 0);
        REQUIRE(::listen(listener_.get(), 4) == 0);
        REQUIRE(::getsockname(listener_.get(), any, &size) == 0);
        port = ntohs(address.sin_port);
    }
    Descriptor accept() const { return Descriptor(::accept(listener_.get(), nullptr, nullptr)); }
    std::uint16_t port = 0;

  private:
    Descriptor listener_;
};

Descriptor connected(std::uint16_t port) {
    Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_in address = loopback(port);
    REQUIRE(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) ==
            0);
    return socket;
}

void say(const Descriptor& to, std::string_view text) {
    REQUIRE(::send(to.get(), text.data(), text.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(text.size()));
}

/// What comes within the time; "end" when the other side has gone.
std::string heard(const Descriptor& from, std::chrono::milliseconds within = 5s) {
    pollfd ready{from.get(), POLLIN, 0};
    if (::poll(&ready, 1, static_cast<int>(within.count())) <= 0) return "nothing";
    char bytes[64];
    const ssize_t size = ::recv(from.get(), bytes, sizeof bytes, 0);
    return size <= 0 ? "end" : std::string(bytes, static_cast<std::size_t>(size));
}

struct Line {
    Line() : proxy(upstream.port, 1), link(proxy.add()), client(connected(proxy.port(link))) {
        server = upstream.accept();
    }
    Upstream upstream;
    Proxy proxy;
    std::size_t link;
    Descriptor client, server;
};

}  // namespace

TEST_CASE("proxy: passes on both ways, and tells of an end") {
    Line line;
    say(line.client, "ping");
    CHECK(heard(line.server) == "ping");
    say(line.server, "pong");
    CHECK(heard(line.client) == "pong");
    line.server.reset();
    CHECK(heard(line.client) == "end");
}

TEST_CASE("proxy: what is sent into a partition arrives when it is over") {
    Line line;
    line.proxy.set(line.link, LinkFault::partition);
    say(line.client, "late");
    CHECK(heard(line.server, 100ms) == "nothing");
    line.proxy.set(line.link, LinkFault::none);
    CHECK(heard(line.server) == "late");
}

TEST_CASE("proxy: an end that is lost is not told") {
    Line line;
    line.proxy.set(line.link, LinkFault::half_open);
    CHECK(heard(line.server) == "end");
    say(line.client, "hello?");
    CHECK(heard(line.client, 100ms) == "nothing");
    const Descriptor next = connected(line.proxy.port(line.link));
    const Descriptor peer = line.upstream.accept();
    say(next, "again");
    CHECK(heard(peer) == "again");
}

TEST_CASE("proxy: a cut is in the middle of what is sent, a reset at once") {
    {
        Line line;
        line.proxy.set(line.link, LinkFault::cut);
        CHECK(line.proxy.cutting(line.link));
        say(line.client, "abcdef");
        CHECK(heard(line.server) == "abc");
        CHECK(heard(line.server) == "end");
        CHECK(heard(line.client) == "end");
        CHECK_FALSE(line.proxy.cutting(line.link));
    }
    Line line;
    line.proxy.set(line.link, LinkFault::reset);
    CHECK(heard(line.server) == "end");
    CHECK(heard(line.client) == "end");
}

TEST_CASE("proxy: what is late comes in its order") {
    Line line;
    line.proxy.set(line.link, LinkFault::delay);
    const auto begun = std::chrono::steady_clock::now();
    std::string all;
    for (const char* word : {"a", "b", "c"}) say(line.client, word);
    while (all.size() < 3) all += heard(line.server);
    CHECK(all == "abc");
    CHECK(std::chrono::steady_clock::now() - begun >= 10ms);  // the shortest delay
}

TEST_CASE("client: one whose other end is gone without a word is heard and served again") {
    saga::testing::Broker broker(saga::testing::servers().front());
    const auto port = std::stoul(broker.url().substr(broker.url().rfind(':') + 1));
    Proxy proxy(static_cast<std::uint16_t>(port), 1);
    const std::size_t link = proxy.add();
    saga::bus::Address address;
    address.url = "nats://127.0.0.1:" + std::to_string(proxy.port(link));
    saga::bus::NatsClient bank(address, "bank"), shop(address, "shop");
    bank.serve("bank.open", 1, [](auto questions) {
        return std::vector<std::optional<std::vector<std::byte>>>(questions.size(),
                                                                  std::vector<std::byte>(1));
    });
    const auto answered = [&] {
        try {
            return shop.request("bank.open", {}, 100ms).size() == 1;
        } catch (const saga::Error&) {
            return false;
        }
    };
    REQUIRE(saga::testing::eventually(answered));
    proxy.set(link, LinkFault::half_open);
    CHECK(saga::testing::eventually([&] { return !answered(); }));
    CHECK(saga::testing::eventually(answered));
}

TEST_CASE("told: the best answer to each key counts, other lines do not") {
    Told told;
    for (const char* line :
         {R"({"key":"a","result":"unknown"})", R"({"key":"a","result":"ok","service":"s"})",
          R"({"key":"a","result":"unknown"})", R"({"key":"b","result":"fail"})",
          R"({"key":"c","result":"maybe"})", R"({"key":7,"result":"ok"})", "{", "hello", ""})
        told.take(line);
    CHECK(told.all().size() == 2);
    CHECK(told.count(Answered::ok) == 1);
    CHECK(told.count(Answered::fail) == 1);
    CHECK(told.count(Answered::unknown) == 0);
    CHECK(told.all().at("a").service == "s");
}

TEST_CASE("client: once serve returns, who asks is heard, however late the broker heard of it") {
    saga::testing::Broker broker(saga::testing::servers().front());
    const auto port = std::stoul(broker.url().substr(broker.url().rfind(':') + 1));
    Proxy proxy(static_cast<std::uint16_t>(port), 1);
    const std::size_t link = proxy.add();
    saga::bus::Address near, far;
    near.url = broker.url();
    far.url = "nats://127.0.0.1:" + std::to_string(proxy.port(link));
    saga::bus::NatsClient bank(far, "bank"), shop(near, "shop");
    proxy.set(link, LinkFault::delay);
    bank.serve("bank.open", 1, [](auto questions) {
        return std::vector<std::optional<std::vector<std::byte>>>(questions.size(),
                                                                  std::vector<std::byte>(1));
    });
    CHECK(shop.request("bank.open", {}, 5s).size() == 1);
}
