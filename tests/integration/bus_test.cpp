// What nats.c and nats-server do to the port; the port's own promises are in tests/conformance.
#include <doctest/doctest.h>

#include <memory>

#include "saga/bus/nats_bus.hpp"
#include "saga/bus/nats_client.hpp"
#include "tests/integration/broker.hpp"

using namespace saga;
using namespace saga::testing;
using namespace std::chrono_literals;

namespace {

/// Writes down what it is told.
struct Heard final : bus::Listener {
    void connected(const bus::Server&) override { ++connections; }
    void disconnected(std::string_view) override { ++losses; }
    void denied(std::string_view what) override { forbidden.emplace_back(what); }
    void delivered(bus::StoredMessage message, std::uint64_t nth, std::uint64_t) override {
        messages.push_back(std::move(message));
        last_nth = nth;
    }
    void heartbeat(std::uint64_t nth, std::uint64_t stream_seq) override {
        ++heartbeats;
        last_nth = nth;
        looked_to = stream_seq;
    }
    void pull_ended(std::uint64_t, const bus::PullEnd&) override {}
    void consumer_lost(std::string_view) override {}
    void acked(bus::Channel, std::uint64_t, const bus::PubAck&) override { ++acks; }
    void refused(bus::Channel, const bus::Problem&) override {}
    void requested(bus::Request request) override { requests.push_back(std::move(request)); }

    int connections = 0, losses = 0, heartbeats = 0, acks = 0;
    std::uint64_t last_nth = 0, looked_to = 0;
    std::vector<std::string> forbidden;
    std::vector<bus::StoredMessage> messages;
    std::vector<bus::Request> requests;
};

/// One bus, polled until something holds.
struct Line {
    explicit Line(const std::string& url, const std::string& service = "tester")
        : bus(
              [&] {
                  bus::Address address;
                  address.url = url;
                  return address;
              }(),
              service, "0123456789abcdef") {
        REQUIRE(until([&] { return heard.connections == 1; }));
    }
    bool until(const std::function<bool()>& met, std::chrono::milliseconds limit = 10s) {
        return eventually(
            [&] {
                bus.wait(std::chrono::steady_clock::now() + 1ms);
                bus.poll(heard, std::chrono::steady_clock::now());
                bus.flush();
                return met();
            },
            limit);
    }
    template <class T>
    bus::Result<T> await(const std::function<void(bus::Done<T>)>& ask) {
        std::optional<bus::Result<T>> answer;
        ask([&](bus::Result<T> result) { answer = std::move(result); });
        REQUIRE(until([&] { return answer.has_value(); }));
        return std::move(*answer);
    }
    void publish(std::uint64_t token, const std::string& subject, const std::string& id) {
        const std::string body = "body of " + id;
        bus.publish(bus::Channel::events, token, subject, {{"Nats-Msg-Id", id}},
                    std::as_bytes(std::span(body)));
    }
    Heard heard;
    bus::NatsBus bus;
};

template <class T>
bool ok(const bus::Result<T>& result) {
    return std::holds_alternative<T>(result);
}

/// Runs the test on each server there is.
template <class Test>
void on_each_server(Test test, const std::string& settings = {}) {
    for (const std::string& binary : servers()) {
        CAPTURE(binary);
        Broker broker(binary, settings);
        broker.bootstrap();
        test(broker);
    }
}

}  // namespace

TEST_CASE("bus: what may not be asked has no answer, and is no right that everything needs") {
    constexpr auto kUsers =
        "accounts { A { jetstream: enabled, users: [ { user: admin, password: admin, "
        "permissions: { publish: { deny: [\"forbidden.>\", \"saga-ctl.*.owner\"] } } } ] } "
        "}\nno_auth_user: admin\n";
    const auto test = [](Broker& broker) {
        Line line(broker.url());
        const auto ask = [&](const std::string& subject) {
            return std::get<bus::Problem>(line.await<std::string>(
                [&](auto done) { line.bus.ask(subject, {}, "", 60s, std::move(done)); }));
        };
        for (int again = 0; again < 2; ++again) {
            const bus::Problem forbidden = ask("forbidden.here");
            CHECK(forbidden.trouble == bus::Trouble::refused);
            CHECK_MESSAGE(forbidden.text.find("forbidden.here") != std::string::npos,
                          forbidden.text);
        }
        CHECK(ask("allowed.here").trouble == bus::Trouble::no_responders);
        CHECK(line.heard.forbidden.empty());
        line.publish(1, "forbidden.event", "one");
        REQUIRE(line.until([&] { return line.heard.forbidden.size() == 1; }));
        line.bus.ask("saga-ctl.order.owner", {}, "", 60s, [](const auto&) {});
        REQUIRE(line.until([&] { return line.heard.forbidden.size() == 2; }));
    };
    on_each_server(test, kUsers);
}

TEST_CASE("bus: who asks at the end of a long turn waits from then on") {
    on_each_server([](Broker& broker) {
        Line line(broker.url());
        bus::NatsClient echoing({.url = broker.url()}, "echo");
        echoing.serve("echo", 1, [](std::span<const bus::NatsClient::Question> asked) {
            return std::vector<std::optional<std::vector<std::byte>>>{asked.front().body};
        });
        const auto begun = std::chrono::steady_clock::now();
        line.bus.poll(line.heard, begun);
        while (std::chrono::steady_clock::now() < begun + 3s) continue;  // its work
        CHECK(ok(line.await<std::string>(
            [&](auto done) { line.bus.ask("echo", {}, "", 2s, std::move(done)); })));
    });
}

TEST_CASE("bus: reads in order from a position, filtered or not, and beats while idle") {
    on_each_server([](Broker& broker) {
        Line line(broker.url());
        for (std::uint64_t i = 1; i <= 600; ++i)
            line.publish(i, i % 2 == 0 ? "saga.a.done.E.p00" : "saga.b.done.E.p00",
                         "id-" + std::to_string(i));
        REQUIRE(line.until([&] { return line.heard.acks == 600; }));
        const auto made = line.await<bus::ConsumerState>([&](auto done) {
            line.bus.create_consumer({"tester", {"saga.a.>", "saga.c.>"}, 101}, std::move(done));
        });
        REQUIRE(ok(made));
        CHECK(std::get<bus::ConsumerState>(made).delivered == 0);
        const std::uint64_t expected = std::get<bus::ConsumerState>(made).pending;
        line.bus.pull("tester", 1, {.batch = 1000, .expires = 30s, .heartbeat = 500ms});
        REQUIRE(line.until([&] { return line.heard.heartbeats > 0; }));
        // A server before 2.10 knows no list of filters, and delivers all.
        CHECK(line.heard.messages.size() == expected);
        CHECK((expected == 250 || expected == 500));
        CHECK(line.heard.last_nth == expected);
        CHECK(line.heard.looked_to == 600);
        for (std::size_t i = 1; i < line.heard.messages.size(); ++i)
            CHECK(line.heard.messages[i].seq > line.heard.messages[i - 1].seq);
        CHECK(line.heard.messages.front().seq > 100);
        CHECK(line.heard.messages.front().stored_at != bus::StoreTime{});
    });
}

TEST_CASE("bus: answers no reply subject but an inbox") {
    on_each_server([](Broker& broker) {
        Line served(broker.url());
        served.bus.listen({"saga-ctl.tester.books"});
        REQUIRE(ok(served.await<bus::StreamInfo>(
            [&](auto done) { served.bus.stream_info(std::move(done)); })));
        bus::Address address;
        address.url = broker.url();
        Line other(broker.url(), "attacker");
        natsConnection* connection = nullptr;
        REQUIRE(natsConnection_ConnectTo(&connection, broker.url().c_str()) == NATS_OK);
        const bus::Nats<natsConnection> owned(connection);
        natsConnection_PublishRequestString(connection, "saga-ctl.tester.books",
                                            "saga.payment.done.PaymentTaken.p07", "");
        natsConnection_PublishRequestString(connection, "saga-ctl.tester.books", "_INBOX.x.1", "");
        natsConnection_Flush(connection);
        REQUIRE(served.until([&] { return !served.heard.requests.empty(); }));
        CHECK(served.heard.requests.size() == 1);
        CHECK(served.heard.requests.front().reply == "_INBOX.x.1");
    });
}

TEST_CASE("bus: comes back after the broker was killed, with everything asked answered") {
    on_each_server([](Broker& broker) {
        Line line(broker.url());
        broker.pause();
        std::optional<bus::Result<bus::StreamInfo>> answer;
        line.bus.stream_info([&](bus::Result<bus::StreamInfo> result) { answer = result; });
        line.bus.flush();
        broker.resume();
        broker.kill();
        REQUIRE(line.until([&] { return line.heard.losses == 1; }));
        REQUIRE(answer.has_value());
        if (!ok(*answer))
            CHECK(std::get<bus::Problem>(*answer).trouble == bus::Trouble::disconnected);
        CHECK(!line.bus.trouble().empty());
        broker.start();
        REQUIRE(line.until([&] { return line.heard.connections == 2; }));
        CHECK(line.bus.trouble().empty());
        CHECK(ok(line.await<bus::StreamInfo>(
            [&](auto done) { line.bus.stream_info(std::move(done)); })));
    });
}

TEST_CASE("bus: an answer that its asker cannot take costs nobody else theirs") {
    on_each_server([](Broker& broker) {
        Line line(broker.url());
        REQUIRE(line.until([&] { return line.heard.connections == 1; }));
        int thrown = 0, heard = 0;
        for (int i = 0; i < 3; ++i) {
            line.bus.stream_info([](const auto&) { throw Error("the disk is full"); });
            line.bus.stream_info([&](const auto& result) { heard += ok(result) ? 1 : 0; });
        }
        REQUIRE(eventually([&] {
            try {
                line.bus.poll(line.heard, std::chrono::steady_clock::now());
            } catch (const Error&) {
                ++thrown;
            }
            line.bus.flush();
            return thrown == 3 && heard == 3;
        }));
        CHECK(ok(line.await<bus::StreamInfo>(
            [&](auto done) { line.bus.stream_info(std::move(done)); })));
    });
}

TEST_CASE("bus: drops a connection on which the broker is silent") {
    Broker broker(servers().front());
    broker.bootstrap();
    Line line(broker.url());
    broker.pause();
    CHECK(line.until([&] { return line.heard.losses == 1; }, 30s));
    broker.resume();
    CHECK(line.until([&] { return line.heard.connections == 2; }));
}

TEST_CASE("bus: what the broker forbids is said") {
    for (const std::string& binary : servers()) {
        CAPTURE(binary);
        Broker broker(binary,
                      "authorization { users = [ { user: a, password: a, permissions: { "
                      "publish: [\"$JS.API.>\"], subscribe: [\"_SAGA.>\"] } } ] }");
        bus::Address address;
        address.url = broker.url();
        address.user = address.password = "a";
        Heard heard;
        bus::NatsBus bus(address, "tester", "0123456789abcdef");
        const auto poll = [&] {
            bus.poll(heard, std::chrono::steady_clock::now());
            bus.flush();
        };
        REQUIRE(eventually([&] { return poll(), heard.connections == 1; }));
        const std::string body = "x";
        bus.publish(bus::Channel::events, 1, "saga.a.done.E.p00", {},
                    std::as_bytes(std::span(body)));
        REQUIRE(eventually([&] { return poll(), !heard.forbidden.empty(); }));
        CHECK(heard.forbidden.front().find("saga.a.done.E.p00") != std::string::npos);
    }
}
