// What a broker that dies keeps, loses and takes back.
#include <doctest/doctest.h>

#include "tests/conformance/stage.hpp"

using namespace saga;
using namespace saga::conformance;
using namespace std::chrono_literals;

namespace {

constexpr int kNoConsumer = 10014;

void restart(Stage& stage, const Line& line, const std::function<void()>& meanwhile = {}) {
    const int before = line.heard.connections;
    stage.kill();
    if (meanwhile) meanwhile();
    stage.start();
    REQUIRE(stage.until([&] { return line.heard.connections == before + 1; }));
}

core::StoreTime stored_at(Line& line, std::uint64_t seq) {
    return line.must<bus::StoredMessage>(&bus::Bus::message_at, seq).stored_at;
}

}  // namespace

TEST_CASE("fate: whatever was asked is answered before a lost connection is told") {
    on_each_stage([](Stage& stage) {
        Line& line = stage.connect();
        Line& other = stage.connect();
        other.bus->listen({"saga-ctl.reader.silent"});
        stage.settle(other);
        std::optional<bus::Result<std::string>> answer;
        ++line.heard.open;
        line.bus->ask("saga-ctl.reader.silent", {}, "?", 60s, [&](bus::Result<std::string> result) {
            --line.heard.open;
            answer = std::move(result);
        });
        REQUIRE(stage.until([&] { return !other.heard.requests.empty(); }));
        stage.kill();
        REQUIRE(stage.until([&] { return line.heard.losses == 1; }));
        REQUIRE(answer.has_value());
        REQUIRE(!ok(*answer));
        CHECK(std::get<bus::Problem>(*answer).trouble == bus::Trouble::disconnected);
        CHECK(line.heard.open_at_loss == 0);
        CHECK(!line.bus->trouble().empty());
        CHECK(line.fails<bus::StreamInfo>(&bus::Bus::stream_info).trouble ==
              bus::Trouble::disconnected);
        stage.start();
        REQUIRE(stage.until([&] { return line.heard.connections == 2; }));
        CHECK(line.bus->trouble().empty());
        CHECK(line.info().state.last_seq == 0);
    });
}

TEST_CASE("fate: a broker that was killed has its stream, and no consumer") {
    on_each_stage([](Stage& stage) {
        Line& line = stage.connect();
        line.store(1, 5);
        line.read_from(1);
        const core::StreamState before = line.info().state;
        const core::StoreTime third = stored_at(line, 3);
        restart(stage, line);
        CHECK(line.info().state == before);
        CHECK(stored_at(line, 3) == third);
        CHECK(line.fails<bus::ConsumerState>(&bus::Bus::consumer_state, "reader").code ==
              kNoConsumer);
        CHECK(line.read_from(4).pending == 2);
    });
}

TEST_CASE("fate: a broker that went back gives sequences again, at other times") {
    on_each_stage([](Stage& stage) {
        Line& line = stage.connect();
        line.store(1, 5);
        restart(stage, line, [&] { stage.save(); });
        line.store(6, 8);
        const core::StreamState before = line.info().state;
        const core::StoreTime sixth = stored_at(line, 6);
        restart(stage, line, [&] { stage.restore(); });
        CHECK(line.info().state == core::StreamState{before.created, 1, 5, 0});
        line.heard.acks.clear();
        line.store(6, 7);
        CHECK(!line.heard.acks[6].duplicate);  // its id was lost with it
        CHECK(line.heard.acks[6].seq == 6);
        CHECK(stored_at(line, 6) > sixth);
        CHECK(line.info().state.last_seq == 7);
    });
}

TEST_CASE("fate: a stream that was made anew has another birthday") {
    on_each_stage([](Stage& stage) {
        Line& line = stage.connect();
        line.store(1, 3);
        const core::StoreTime created = line.info().state.created;
        restart(stage, line, [&] { stage.wipe(); });
        stage.make_streams();
        CHECK(line.info().state.created > created);
        CHECK(line.info().state.last_seq == 0);
        line.heard.acks.clear();
        line.store(3, 3);
        CHECK(!line.heard.acks[3].duplicate);
        CHECK(line.heard.acks[3].seq == 1);
    });
}
