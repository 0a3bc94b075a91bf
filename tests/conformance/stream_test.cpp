// What the stream keeps, says of itself, and refuses.
#include <doctest/doctest.h>

#include "tests/conformance/stage.hpp"

using namespace saga;
using namespace saga::conformance;
using namespace std::chrono_literals;

namespace {

constexpr int kNoMessage = 10037, kNoStream = 10059, kFull = 10077, kTooLarge = 10054;
constexpr auto kSubject = "saga.a.done.E.p00";

/// Publishes, and waits for the answer.
bus::PubAck published(Stage& stage, Line& line, const std::string& id) {
    static std::uint64_t tokens = 1'000'000;
    const std::uint64_t token = ++tokens;
    line.publish(token, kSubject, id);
    REQUIRE(stage.until([&] { return line.heard.acks.contains(token); }));
    return line.heard.acks[token];
}

bus::Problem refusal(Stage& stage, Line& line) {
    REQUIRE(stage.until([&] { return !line.heard.refusals.empty(); }));
    return line.heard.refusals.back();
}

}  // namespace

TEST_CASE("stream: stores an id once, whatever its subject, and tells where it stands") {
    on_each_stage([](Stage& stage) {
        Line& line = stage.connect();
        line.store(1, 3);
        CHECK(line.heard.acks[2].seq == 2);
        CHECK(!line.heard.acks[2].duplicate);
        const bus::PubAck again = published(stage, line, "id-2");
        CHECK(again.duplicate);
        CHECK(again.seq == 2);
        CHECK(published(stage, line, "id-4").seq == 4);
        stage.kill();
        stage.start();
        REQUIRE(stage.until([&] { return line.heard.connections == 2; }));
        const bus::PubAck after = published(stage, line, "id-3");
        CHECK(after.duplicate);
        CHECK(after.seq == 3);
        CHECK(line.info().state.last_seq == 4);
    });
}

TEST_CASE("stream: forgets an id when its window has passed, counted from the first time") {
    on_each_stage(
        [](Stage& stage) {
            Line& line = stage.connect();
            const bus::PubAck first = published(stage, line, "id");
            bus::PubAck last = published(stage, line, "id");
            CHECK(last.duplicate);
            REQUIRE(stage.until([&] {
                last = published(stage, line, "id");
                return !last.duplicate;
            }));
            CHECK(last.seq == first.seq + 1);
        },
        {.dedupe_window = 1s});
}

TEST_CASE("stream: says where it begins and ends, and what was deleted from it") {
    on_each_stage([](Stage& stage) {
        Line& line = stage.connect();
        const core::StreamState fresh = line.info().state;
        CHECK(fresh.created != core::StoreTime{});
        CHECK(fresh.first_seq == 1);
        CHECK(fresh.last_seq == 0);
        line.store(1, 8);
        stage.remove(5);
        stage.remove(3);
        CHECK(line.info().state == core::StreamState{fresh.created, 1, 8, 2, {3, 5}});
        stage.remove(1);
        CHECK(line.info().state == core::StreamState{fresh.created, 2, 8, 2, {3, 5}});
        stage.purge_below(4);
        CHECK(line.info().state == core::StreamState{fresh.created, 4, 8, 1, {5}});
        stage.remove(8);
        CHECK(line.info().state.last_seq == 8);
        stage.purge_below(9);
        CHECK(line.info().state == core::StreamState{fresh.created, 9, 8, 0, {}});
        CHECK(published(stage, line, "next").seq == 9);
    });
}

TEST_CASE("stream: gives a message by its sequence, or says that there is none") {
    on_each_stage([](Stage& stage) {
        Line& line = stage.connect();
        line.store(1, 4, 300);
        stage.remove(2);
        const auto third = line.must<bus::StoredMessage>(&bus::Bus::message_at, 3U);
        CHECK(third.seq == 3);
        CHECK(third.subject == "saga.odd.done.E.p00");
        CHECK(third.bytes.size() == 300);
        const auto fourth = line.must<bus::StoredMessage>(&bus::Bus::message_at, 4U);
        CHECK(fourth.stored_at > third.stored_at);
        CHECK(line.fails<bus::StoredMessage>(&bus::Bus::message_at, 2U).code == kNoMessage);
        CHECK(line.fails<bus::StoredMessage>(&bus::Bus::message_at, 5U).code == kNoMessage);
    });
}

TEST_CASE("stream: messages go when they are old, and sequences go on") {
    on_each_stage(
        [](Stage& stage) {
            Line& line = stage.connect();
            line.store(1, 3);
            REQUIRE(stage.until([&] { return line.info().state.first_seq == 4; }));
            CHECK(line.info().state.last_seq == 3);
            CHECK(line.info().state.deleted == 0);
            CHECK(published(stage, line, "id-4").seq == 4);
        },
        {.dedupe_window = 500ms, .max_age = 1s});
}

TEST_CASE("stream: a full one refuses what is new, and knows what it has") {
    on_each_stage([](Stage& stage) {
        Line& line = stage.connect();
        line.store(1, 2);
        stage.set_full(true);
        line.publish(3, kSubject, "id-3");
        CHECK(refusal(stage, line).trouble == bus::Trouble::refused);
        CHECK(refusal(stage, line).code == kFull);
        CHECK(published(stage, line, "id-2").duplicate);
        stage.set_full(false);
        const bus::PubAck ack = published(stage, line, "id-3");
        CHECK(ack.seq == 3);
        CHECK(!ack.duplicate);
    });
}

TEST_CASE("stream: a message that is too large is refused") {
    on_each_stage([](Stage& stage) {
        Line& line = stage.connect();
        line.publish(1, kSubject, "id-1", core::kMaxMessage + 65 * 1024);
        CHECK(refusal(stage, line).code == kTooLarge);
        line.publish(2, kSubject, "id-2", core::kMaxMessage);
        REQUIRE(stage.until([&] { return line.heard.acks.contains(2); }));
        CHECK(line.info().state.last_seq == 1);
    });
}

TEST_CASE("stream: none is known as such by whatever is asked of it") {
    on_each_stage([](Stage& stage) {
        Line& line = stage.connect();
        stage.delete_stream();
        CHECK(line.fails<bus::StreamInfo>(&bus::Bus::stream_info).code == kNoStream);
        CHECK(line.fails<bus::StoredMessage>(&bus::Bus::message_at, 1U).code == kNoStream);
        CHECK(line.fails<bus::ConsumerState>(&bus::Bus::create_consumer,
                                             bus::ConsumerSpec{.name = "reader", .filters = {}})
                  .code == kNoStream);
        CHECK(line.fails<bus::ConsumerState>(&bus::Bus::consumer_state, "reader").code ==
              kNoStream);
        CHECK(line.fails<std::monostate>(&bus::Bus::delete_consumer, "reader").code == kNoStream);
        line.publish(1, kSubject, "id-1");
        CHECK(refusal(stage, line).trouble == bus::Trouble::no_responders);
        stage.make_streams();
        CHECK(published(stage, line, "id-1").seq == 1);
    });
}
