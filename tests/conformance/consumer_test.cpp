// Our consumer: ordered, without acks, in the broker's memory.
#include <doctest/doctest.h>

#include "tests/conformance/stage.hpp"

using namespace saga;
using namespace saga::conformance;
using namespace std::chrono_literals;
using Seqs = std::vector<std::uint64_t>;

namespace {

constexpr int kNoConsumer = 10014;

Seqs from_to(std::uint64_t first, std::uint64_t last) {
    Seqs seqs;
    for (std::uint64_t seq = first; seq <= last; ++seq) seqs.push_back(seq);
    return seqs;
}

/// Waits until so many messages have come.
void wait_for(Stage& stage, const Line& line, std::size_t messages) {
    REQUIRE(stage.until([&] { return line.heard.messages.size() >= messages; }));
}

}  // namespace

TEST_CASE("consumer: begins where it is told to, and says what waits") {
    on_each_stage([](Stage& stage) {
        Line& line = stage.connect();
        line.store(1, 10);
        const bus::ConsumerState made = line.read_from(4);
        CHECK(made.delivered == 0);
        CHECK(made.pending == 7);
        line.pull(1, {.batch = 3, .expires = 30s, .heartbeat = 1s});
        wait_for(stage, line, 3);
        CHECK(line.heard.seqs() == from_to(4, 6));
        CHECK(line.heard.nths == from_to(1, 3));
        CHECK(line.heard.pendings == Seqs{6, 5, 4});
        CHECK(line.heard.messages[0].subject == "saga.even.done.E.p00");
        CHECK(line.heard.messages[0].bytes.size() == 10);
        CHECK(line.heard.messages[0].stored_at ==
              line.must<bus::StoredMessage>(&bus::Bus::message_at, 4U).stored_at);
        const auto state = line.must<bus::ConsumerState>(&bus::Bus::consumer_state, "reader");
        CHECK(state.delivered == 3);
        CHECK(state.pending == 4);
        CHECK(line.heard.ended.empty());  // what brought all it was asked for says nothing more
    });
}

TEST_CASE("consumer: one that is there is given back as it stands; deleted, it begins anew") {
    on_each_stage([](Stage& stage) {
        Line& line = stage.connect();
        line.store(1, 10);
        line.read_from(1);
        line.pull(1, {.batch = 4, .expires = 30s, .heartbeat = 1s});
        wait_for(stage, line, 4);
        const bus::ConsumerState again = line.read_from(1);
        CHECK(again.delivered == 4);
        CHECK(again.pending == 6);
        line.must<std::monostate>(&bus::Bus::delete_consumer, "reader");
        CHECK(line.fails<bus::ConsumerState>(&bus::Bus::consumer_state, "reader").code ==
              kNoConsumer);
        CHECK(line.fails<std::monostate>(&bus::Bus::delete_consumer, "reader").code == kNoConsumer);
        CHECK(line.read_from(9).delivered == 0);
        line.pull(2, {.batch = 10, .expires = 30s, .heartbeat = 1s});
        wait_for(stage, line, 6);
        CHECK(line.heard.seqs() == Seqs{1, 2, 3, 4, 9, 10});
        CHECK(line.heard.nths == Seqs{1, 2, 3, 4, 1, 2});
    });
}

TEST_CASE("consumer: a start beyond the end, or below the beginning, is where messages are") {
    on_each_stage([](Stage& stage) {
        Line& line = stage.connect();
        line.store(1, 6);
        stage.purge_below(3);
        CHECK(line.read_from(1).pending == 4);
        line.pull(1, {.batch = 1, .expires = 30s, .heartbeat = 1s});
        wait_for(stage, line, 1);
        CHECK(line.heard.seqs() == Seqs{3});
        line.must<std::monostate>(&bus::Bus::delete_consumer, "reader");
        CHECK(line.read_from(7).pending == 0);
        line.pull(2, {.batch = 1, .expires = 30s, .heartbeat = 1s});
        line.store(7, 7);
        wait_for(stage, line, 2);
        CHECK(line.heard.seqs() == Seqs{3, 7});
    });
}

TEST_CASE("consumer: a request that is not filled beats while it waits, and says how it ends") {
    on_each_stage([](Stage& stage) {
        Line& line = stage.connect();
        line.store(1, 3);
        line.read_from(1);
        line.pull(7, {.batch = 10, .expires = 2s, .heartbeat = 500ms});
        REQUIRE(stage.until([&] { return !line.heard.ended.empty(); }));
        CHECK(line.heard.seqs() == from_to(1, 3));
        CHECK(line.heard.heartbeats.size() >= 2);
        for (const auto& beat : line.heard.heartbeats)
            CHECK(beat == std::pair<std::uint64_t, std::uint64_t>(3, 3));
        REQUIRE(line.heard.ended.size() == 1);
        CHECK(line.heard.ended[0].first == 7);
        CHECK(line.heard.ended[0].second.left == 7);
        CHECK(!line.heard.ended[0].second.too_large);
        CHECK(line.heard.lost == 0);
    });
}

TEST_CASE("consumer: requests that overlap are served one after the other") {
    on_each_stage([](Stage& stage) {
        Line& line = stage.connect();
        line.read_from(1);
        line.pull(1, {.batch = 3, .expires = 2s, .heartbeat = 500ms});
        line.pull(2, {.batch = 5, .expires = 2s, .heartbeat = 500ms});
        stage.settle(line);
        line.store(1, 6);
        wait_for(stage, line, 6);
        CHECK(line.heard.seqs() == from_to(1, 6));
        CHECK(line.heard.nths == from_to(1, 6));
        REQUIRE(stage.until([&] { return !line.heard.ended.empty(); }));
        CHECK(line.heard.ended[0].first == 2);
        CHECK(line.heard.ended[0].second.left == 2);
    });
}

TEST_CASE("consumer: a request ends before a message that has more bytes than it has left") {
    on_each_stage([](Stage& stage) {
        Line& line = stage.connect();
        line.store(1, 5, 1'000);
        line.read_from(1);
        line.pull(1, {.batch = 10, .max_bytes = 2'800, .expires = 30s, .heartbeat = 1s});
        REQUIRE(stage.until([&] { return !line.heard.ended.empty(); }));
        CHECK(line.heard.seqs() == Seqs{1, 2});
        CHECK(line.heard.ended[0].first == 1);
        CHECK(line.heard.ended[0].second.too_large);
        line.pull(2, {.batch = 10, .max_bytes = 100, .expires = 30s, .heartbeat = 1s});
        REQUIRE(stage.until([&] { return line.heard.ended.size() == 2; }));
        CHECK(line.heard.ended[1].first == 2);
        CHECK(line.heard.ended[1].second.too_large);
        line.pull(3, {.batch = 10, .max_bytes = 100'000, .expires = 30s, .heartbeat = 1s});
        wait_for(stage, line, 5);
        CHECK(line.heard.seqs() == from_to(1, 5));
        CHECK(line.heard.nths == from_to(1, 5));
    });
}

TEST_CASE("consumer: passes over what was deleted, and counts on") {
    on_each_stage([](Stage& stage) {
        Line& line = stage.connect();
        line.store(1, 8);
        stage.remove(2);
        stage.remove(5);
        stage.remove(6);
        CHECK(line.read_from(2).pending == 4);
        line.pull(1, {.batch = 10, .expires = 30s, .heartbeat = 500ms});
        REQUIRE(stage.until([&] { return !line.heard.heartbeats.empty(); }));
        CHECK(line.heard.seqs() == Seqs{3, 4, 7, 8});
        CHECK(line.heard.nths == from_to(1, 4));
        CHECK(line.heard.pendings == Seqs{3, 2, 1, 0});
    });
}

TEST_CASE("consumer: delivers what its filters name; before 2.10, of several filters all") {
    on_each_stage([](Stage& stage) {
        Line& line = stage.connect();
        line.store(1, 7);
        CHECK(line.read_from(1, {"saga.*.done.E.>"}).pending == 7);
        line.must<std::monostate>(&bus::Bus::delete_consumer, "reader");
        CHECK(line.read_from(2, {"saga.odd.>"}).pending == 3);
        line.pull(1, {.batch = 10, .expires = 30s, .heartbeat = 500ms});
        REQUIRE(stage.until([&] { return !line.heard.heartbeats.empty(); }));
        CHECK(line.heard.seqs() == Seqs{3, 5, 7});
        CHECK(line.heard.heartbeats[0].first == 3);
        line.store(8, 8);  // it is passed over, and a heartbeat tells
        REQUIRE(stage.until([&] { return line.heard.heartbeats.back().second == 8; }));
        line.must<std::monostate>(&bus::Bus::delete_consumer, "reader");
        line.heard.messages.clear();
        const std::uint64_t waits = line.read_from(1, {"saga.even.>", "saga.none.>"}).pending;
        CHECK(waits == (stage.since_2_10() ? 4 : 8));
        line.pull(2, {.batch = 10, .expires = 30s, .heartbeat = 500ms});
        wait_for(stage, line, waits);
        CHECK(line.heard.seqs() == (stage.since_2_10() ? Seqs{2, 4, 6, 8} : from_to(1, 8)));
    });
}

TEST_CASE("consumer: a request to none does not beat; since 2.10 it is answered") {
    on_each_stage([](Stage& stage) {
        Line& line = stage.connect();
        line.read_from(1);
        Line& other = stage.connect();
        other.must<std::monostate>(&bus::Bus::delete_consumer, "reader");
        line.pull(1, {.batch = 1, .expires = 30s, .heartbeat = 500ms});
        CHECK(stage.until([&] { return line.heard.lost > 0; }, 2s) == stage.since_2_10());
        CHECK(line.heard.heartbeats.empty());
    });
}

TEST_CASE(
    "consumer: one that loses its request's is told by servers since 2.10, others are silent") {
    for (const bool with_stream : {false, true}) {
        CAPTURE(with_stream);
        on_each_stage([&](Stage& stage) {
            Line& line = stage.connect();
            line.read_from(1);
            line.pull(1, {.batch = 1, .expires = 30s, .heartbeat = 500ms});
            REQUIRE(stage.until([&] { return !line.heard.heartbeats.empty(); }));
            if (with_stream)
                stage.delete_stream();
            else
                stage.connect().must<std::monostate>(&bus::Bus::delete_consumer, "reader");
            CHECK(stage.until([&] { return line.heard.lost == 1; }));
        });
    }
}

TEST_CASE("consumer: nobody asks, and it is forgotten") {
    on_each_stage([](Stage& stage) {
        Line& line = stage.connect();
        line.must<bus::ConsumerState>(
            &bus::Bus::create_consumer,
            bus::ConsumerSpec{.name = "reader", .filters = {"saga.>"}, .inactive = 1s});
        CHECK(stage.until([&] {
            const auto state = line.ask<bus::ConsumerState>(&bus::Bus::consumer_state, "reader");
            const auto* problem = std::get_if<bus::Problem>(&state);
            return problem != nullptr && problem->code == kNoConsumer;
        }));
    });
}
