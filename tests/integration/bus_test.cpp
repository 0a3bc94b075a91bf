// The port's promises on real nats-servers.
#include <doctest/doctest.h>

#include <deque>
#include <memory>

#include "saga/bus/nats_bus.hpp"
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
    void delivered(bus::StoredMessage message, std::uint64_t nth, std::uint64_t pending) override {
        messages.push_back(std::move(message));
        last_nth = nth;
        last_pending = pending;
    }
    void heartbeat(std::uint64_t nth, std::uint64_t stream_seq) override {
        ++heartbeats;
        last_nth = nth;
        looked_to = stream_seq;
    }
    void pull_ended(std::uint64_t pull, const bus::PullEnd& end) override {
        ended.push_back(pull);
        ends.push_back(end);
    }
    void consumer_lost(std::string_view) override { ++lost; }
    void acked(bus::Channel, std::uint64_t token, const bus::PubAck& ack) override {
        acks.emplace_back(token, ack);
    }
    void refused(bus::Channel, const bus::Problem& problem) override {
        refusals.push_back(problem);
    }
    void requested(bus::Request request) override { requests.push_back(std::move(request)); }

    int connections = 0, losses = 0, heartbeats = 0, lost = 0;
    std::uint64_t last_nth = 0, last_pending = 0, looked_to = 0;
    std::vector<std::string> forbidden;
    std::vector<bus::StoredMessage> messages;
    std::vector<std::uint64_t> ended;
    std::vector<bus::PullEnd> ends;
    std::vector<std::pair<std::uint64_t, bus::PubAck>> acks;
    std::vector<bus::Problem> refusals;
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
void on_each_server(Test test) {
    for (const std::string& binary : servers()) {
        CAPTURE(binary);
        Broker broker(binary);
        broker.bootstrap();
        test(broker);
    }
}

}  // namespace

TEST_CASE("bus: stores an event once for each id, and tells where") {
    on_each_server([](Broker& broker) {
        Line line(broker.url());
        for (std::uint64_t i = 1; i <= 3; ++i)
            line.publish(i, "saga.a.done.E.p00", "id-" + std::to_string(i));
        line.publish(4, "saga.a.done.E.p00", "id-2");
        REQUIRE(line.until([&] { return line.heard.acks.size() == 4; }));
        CHECK(line.heard.acks[3].second.duplicate);
        CHECK(line.heard.acks[3].second.seq == line.heard.acks[1].second.seq);
        const auto info =
            line.await<bus::StreamInfo>([&](auto done) { line.bus.stream_info(std::move(done)); });
        REQUIRE(ok(info));
        CHECK(std::get<bus::StreamInfo>(info).state.last_seq == 3);
        CHECK(std::get<bus::StreamInfo>(info).state.created != bus::StoreTime{});
        const auto message = line.await<bus::StoredMessage>(
            [&](auto done) { line.bus.message_at(2, std::move(done)); });
        REQUIRE(ok(message));
        CHECK(std::get<bus::StoredMessage>(message).subject == "saga.a.done.E.p00");
        const auto none = line.await<bus::StoredMessage>(
            [&](auto done) { line.bus.message_at(9, std::move(done)); });
        REQUIRE(!ok(none));
        CHECK(std::get<bus::Problem>(none).code == 10037);
    });
}

TEST_CASE("bus: reads in order from a position, filtered or not, and beats while idle") {
    on_each_server([](Broker& broker) {
        Line line(broker.url());
        for (std::uint64_t i = 1; i <= 600; ++i)
            line.publish(i, i % 2 == 0 ? "saga.a.done.E.p00" : "saga.b.done.E.p00",
                         "id-" + std::to_string(i));
        REQUIRE(line.until([&] { return line.heard.acks.size() == 600; }));
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

TEST_CASE("bus: says that a pull has ended, and that the consumer is gone") {
    on_each_server([](Broker& broker) {
        Line line(broker.url());
        REQUIRE(ok(line.await<bus::ConsumerState>([&](auto done) {
            line.bus.create_consumer({"tester", {"saga.>"}, 1}, std::move(done));
        })));
        line.bus.pull("tester", 7, {.batch = 10, .expires = 1s, .heartbeat = 300ms});
        REQUIRE(line.until([&] { return !line.heard.ended.empty(); }));
        CHECK(line.heard.ended.front() == 7);
        CHECK(line.heard.ends.front().left == 10);
        CHECK(!line.heard.ends.front().too_large);
        REQUIRE(line.heard.lost == 0);
        line.bus.pull("tester", 8, {.batch = 10, .expires = 30s, .heartbeat = 500ms});
        Line other(broker.url());
        REQUIRE(ok(other.await<std::monostate>(
            [&](auto done) { other.bus.delete_consumer("tester", std::move(done)); })));
        // Newer servers say so; 2.9 falls silent, which the reader takes for the same.
        int beats = line.heard.heartbeats;
        auto since = std::chrono::steady_clock::now();
        CHECK(line.until([&] {
            const auto now = std::chrono::steady_clock::now();
            if (std::exchange(beats, line.heard.heartbeats) != line.heard.heartbeats) since = now;
            return line.heard.lost > 0 || now - since > 3 * 500ms;
        }));
    });
}

TEST_CASE("bus: keeps a bucket's value by its revision") {
    on_each_server([](Broker& broker) {
        Line line(broker.url());
        const auto get = [&] {
            return line.await<std::optional<bus::Entry>>(
                [&](auto done) { line.bus.get("SAGA_OWNERS", "x", std::move(done)); });
        };
        const auto put = [&](std::uint64_t revision) {
            return line.await<std::uint64_t>([&](auto done) {
                line.bus.put("SAGA_OWNERS", "x", "{\"a\":1}", revision, std::move(done));
            });
        };
        const auto none = get();
        REQUIRE(ok(none));
        CHECK(!std::get<std::optional<bus::Entry>>(none));
        const auto first = put(0);
        REQUIRE(ok(first));
        const auto again = put(0);
        REQUIRE(!ok(again));
        CHECK(std::get<bus::Problem>(again).code == 10071);
        const auto second = put(std::get<std::uint64_t>(first));
        REQUIRE(ok(second));
        const auto entry = get();
        REQUIRE(ok(entry));
        REQUIRE(std::get<std::optional<bus::Entry>>(entry).has_value());
        CHECK(std::get<std::optional<bus::Entry>>(entry)->value == "{\"a\":1}");
        CHECK(std::get<std::optional<bus::Entry>>(entry)->revision ==
              std::get<std::uint64_t>(second));
    });
}

TEST_CASE("bus: asks and answers; nobody there is known at once") {
    on_each_server([](Broker& broker) {
        Line asking(broker.url(), "asker"), answering(broker.url(), "asker");
        answering.bus.listen({"saga-ctl.asker.owner"});
        REQUIRE(ok(answering.await<bus::StreamInfo>(
            [&](auto done) { answering.bus.stream_info(std::move(done)); })));
        std::optional<bus::Result<std::string>> answer;
        asking.bus.ask("saga-ctl.asker.owner", "who?", 5s,
                       [&](bus::Result<std::string> result) { answer = std::move(result); });
        REQUIRE(asking.until([&] {
            answering.bus.poll(answering.heard, std::chrono::steady_clock::now());
            for (const bus::Request& request : answering.heard.requests)
                answering.bus.answer(request.reply, "me");
            answering.heard.requests.clear();
            answering.bus.flush();
            return answer.has_value();
        }));
        REQUIRE(ok(*answer));
        CHECK(std::get<std::string>(*answer) == "me");
        const auto nobody = asking.await<std::string>(
            [&](auto done) { asking.bus.ask("saga-ctl.nobody.owner", "", 5s, std::move(done)); });
        REQUIRE(!ok(nobody));
        CHECK(std::get<bus::Problem>(nobody).trouble == bus::Trouble::no_responders);
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

TEST_CASE("bus: an event that no stream takes is refused, not lost in silence") {
    for (const std::string& binary : servers()) {
        CAPTURE(binary);
        Broker broker(binary);
        Line line(broker.url());
        line.publish(1, "saga.a.done.E.p00", "id-1");
        REQUIRE(line.until([&] { return !line.heard.refusals.empty(); }));
        CHECK(line.heard.refusals.front().trouble == bus::Trouble::no_responders);
    }
}
