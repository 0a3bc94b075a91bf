// What is to be sent has room in memory for so much; the rest waits in the database.
#include "saga/runtime/relay.hpp"

#include <doctest/doctest.h>

#include <string>

#include "saga/core/envelope.hpp"
#include "tests/fuzz/silent_bus.hpp"
#include "tests/unit/store/fixture.hpp"

using namespace saga;
using namespace saga::test;
using bus::Channel;

namespace {

class ListeningBus final : public fuzz::SilentBus {
  public:
    std::string sent;  ///< "1 3 4"

    void publish(Channel, std::uint64_t token, const std::string&, const core::Headers&,
                 Bytes) override {
        sent += (sent.empty() ? "" : " ") + std::to_string(token);
    }
    std::string take() { return std::exchange(sent, {}); }
};

struct Post {
    explicit Post(runtime::Room room) : relay(bus, f.store.outbox, room) {}

    Fresh f;
    ListeningBus bus;
    runtime::Relay relay;
    bus::Steady now{std::chrono::hours(1)};

    static constexpr const char* kEvent = "saga.x.done.X.p00";
    static constexpr const char* kLetter = "saga-dlq.x.X.p00";

    /// A row of the outbox, of a saga of its own unless one is named.
    store::OutboxRow put(const std::string& subject = kEvent, std::int64_t saga = 0) {
        const auto seq = f.store.outbox.next_seq();
        const auto nth = static_cast<std::uint8_t>(seq);
        const auto payload = bytes(".");
        const core::Envelope envelope{
            .id = id(nth), .type = "x.X", .saga = "o1", .source = "x", .payload = payload};
        store::OutboxRow row{.seq = seq,
                             .id = id(nth),
                             .saga = saga == 0 ? seq : saga,
                             .subject = subject,
                             .envelope = core::encode(envelope)};
        f.store.outbox.insert(row, at_ms(1), std::nullopt);
        return row;
    }
    void connect() {
        relay.connected(0);
        relay.hold(false);
    }
    std::string sends() {
        relay.pump(now);
        return bus.take();
    }
    void settle(std::int64_t seq) {
        f.store.outbox.settle(seq, 10, at_ms(2));
        relay.events().settled(seq);
    }
    void acked(std::int64_t seq, std::uint64_t place, Channel channel = Channel::events) {
        relay.on_acked(channel, seq, {.seq = place}, now);
    }
};

}  // namespace

TEST_CASE("relay: what has no room waits in the database, and goes once there is some") {
    Post post({.unsent = 2});
    for (int nth = 1; nth <= 4; ++nth) post.relay.add({post.put()});
    CHECK(post.relay.overflows());
    post.connect();
    CHECK(post.sends() == "1 2");
    CHECK(post.sends() == "");
    post.acked(1, 10);
    post.acked(2, 11);
    CHECK(post.sends() == "3 4");
    post.acked(3, 12);
    CHECK(post.sends() == "");
    CHECK_FALSE(post.relay.overflows());
}

TEST_CASE("relay: so many may be acknowledged and not read back") {
    Post post({.unsettled = 2});
    for (int nth = 1; nth <= 3; ++nth) post.relay.add({post.put()});
    post.connect();
    CHECK(post.sends() == "1 2");
    post.acked(1, 10);
    post.acked(2, 11);
    CHECK(post.sends() == "");
    post.settle(1);
    CHECK(post.sends() == "3");
}

TEST_CASE("relay: dead letters that nobody takes keep no event waiting") {
    Post post({.unsent = 2});
    for (int nth = 1; nth <= 4; ++nth) post.relay.add({post.put(Post::kLetter)});
    post.relay.add({post.put()});
    post.connect();
    CHECK(post.sends() == "5 1 2");
    post.relay.reload();
    CHECK_FALSE(post.relay.overflows());
    CHECK(post.sends() == "5 1 2");
    post.acked(1, 70, Channel::letters);
    CHECK(post.sends() == "3");
}

TEST_CASE("relay: what was read back before its PubAck, or stands in the stream, takes no room") {
    Post post({.unsent_bytes = 1});
    post.relay.add({post.put()});
    post.relay.add({post.put()});
    SUBCASE("it was on its way") {
        post.connect();
        CHECK(post.sends() == "1");
        post.settle(1);
    }
    SUBCASE("it was not sent: an earlier life had") {
        post.relay.events().stands(1, 10);
        post.connect();
    }
    CHECK(post.sends() == "2");
}

TEST_CASE("relay: rows that wait for lost ones leave room for those") {
    Post post({.unsent = 2});
    const auto put = [&](std::int64_t saga) { post.relay.add({post.put(Post::kEvent, saga)}); };
    for (const int saga : {7, 8}) put(saga);
    post.connect();
    CHECK(post.sends() == "1 2");
    post.acked(1, 10);
    post.acked(2, 11);
    post.relay.disconnected();
    post.relay.connected(9);  // the broker has lost both, which nobody knows yet
    for (const int saga : {7, 8, 7}) put(saga);
    CHECK(post.sends() == "");
    post.relay.passed(9);
    CHECK(post.relay.sent_again() == 2);
    CHECK(post.sends() == "1 2");
    post.acked(1, 10);
    post.acked(2, 11);
    CHECK(post.sends() == "3 4");
    post.acked(3, 12);
    CHECK(post.sends() == "5");
}

TEST_CASE("relay: more lost rows than there is room for go again from the database, in order") {
    Post post({.unsent = 1});
    for (const int saga : {7, 8, 9, 8, 8}) post.relay.add({post.put(Post::kEvent, saga)});
    post.connect();
    for (const char* one : {"1", "2", "3"}) {
        CHECK(post.sends() == one);
        post.acked(*one - '0', 10);
    }
    CHECK(post.sends() == "4");
    post.relay.passed(10);  // all three were lost; 4 is on its way, and 5 waits in the database
    CHECK(post.relay.sent_again() == 3);
    CHECK(post.sends() == "");
    post.acked(4, 14);
    for (const char* one : {"1", "2", "3", "5"}) {
        CHECK(post.sends() == one);
        post.acked(*one - '0', 20);
    }
    SUBCASE("the broker knows them from before: they are asked again until it does not") {
        for (int round = 0; round < 2; ++round) {
            post.relay.passed(30);
            for (const char* one : {"1", "2", "3", "4", "5"}) {
                CHECK(post.sends() == one);
                post.acked(*one - '0', 20);
            }
            CHECK(post.sends() == "");
            post.now += core::kPubAckTimeout;
        }
        CHECK(post.sends() == "1");
    }
}

TEST_CASE("relay: large events are loaded one by one, once there is room") {
    Post post({.unsent_bytes = 1});
    for (int nth = 1; nth <= 3; ++nth) post.put();
    post.relay.reload();
    post.connect();
    for (const char* one : {"1", "2", "3"}) {
        CHECK(post.sends() == one);
        post.acked(*one - '0', 10);
    }
    CHECK(post.sends() == "");
    CHECK_FALSE(post.relay.overflows());
}
