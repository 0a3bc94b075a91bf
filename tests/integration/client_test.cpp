// Connections of programs that ask, answer or look on, and a broker that comes and goes.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include "saga/bus/nats_client.hpp"
#include "saga/runtime/stream_view.hpp"
#include "tests/integration/broker.hpp"

using namespace saga;
using namespace saga::testing;
using namespace std::chrono_literals;

namespace {

bus::Address at(const Broker& broker, const std::string& user = {}) {
    bus::Address address;
    address.url = broker.url();
    address.user = address.password = user;
    return address;
}

void publish(const Broker& broker, const std::string& subject) {
    bus::NatsClient(at(broker), "a publisher").request_text(subject, "an event", 5s);
}

}  // namespace

TEST_CASE("client: one that the broker refused for a while asks and answers again") {
    constexpr auto kUsers =
        "authorization { users: [ { user: a, password: a }, { user: b, "
        "password: b } ] }";
    constexpr auto kOneUser = "authorization { users: [ { user: b, password: b } ] }";
    for (const std::string& binary : servers()) {
        CAPTURE(binary);
        Broker broker(binary, kUsers);
        bus::NatsClient refused(at(broker, "a"), "refused");
        refused.serve("echo", 1, [](std::span<const bus::NatsClient::Question> asked) {
            return std::vector<std::optional<std::vector<std::byte>>>{asked.front().body};
        });
        bus::NatsClient asks(at(broker, "a"), "asks");
        CHECK(asks.request_text("echo", "before", 5s) == "before");
        broker.kill();
        broker.configure(kOneUser);
        broker.start();
        const auto refusals = [&] {
            constexpr std::string_view kWords = "authentication error";
            const std::string said = broker.log();
            int found = 0;
            for (auto at = said.find(kWords); at != std::string::npos;
                 at = said.find(kWords, at + 1))
                ++found;
            return found;
        };
        REQUIRE(
            eventually([&] { return refusals() >= 6; }, 20s));  // more than nats.c tries by itself
        broker.kill();
        broker.configure(kUsers);
        broker.start();
        const auto answered = [&] {
            try {
                return asks.request_text("echo", "after", 1s) == "after";
            } catch (const bus::NoAnswer&) {
                return false;
            }
        };
        CHECK(eventually(answered, 20s));
    }
}

TEST_CASE("client: a view of the stream goes on where it was when the broker went away") {
    for (const std::string& binary : servers()) {
        CAPTURE(binary);
        Broker broker(binary);
        broker.bootstrap();
        for (int nth = 0; nth < 3; ++nth) publish(broker, fmt::format("saga.a.done.E{}.p00", nth));
        std::vector<std::uint64_t> seen;
        runtime::StreamView(at(broker))
            .read_stored({.from = 2, .timeout = 20s, .follow = true},
                         [&](const bus::StoredMessage& stored) {
                             seen.push_back(stored.seq);
                             if (stored.seq == 3) {
                                 broker.kill();
                                 broker.start();
                                 publish(broker, "saga.a.done.E3.p00");
                             }
                             return stored.seq != 4 && seen.size() < 9;
                         });
        CHECK(seen == std::vector<std::uint64_t>{2, 3, 4});
    }
}
