// Buckets, and requests between those who share a broker.
#include <doctest/doctest.h>

#include "tests/conformance/stage.hpp"

using namespace saga;
using namespace saga::conformance;
using namespace std::chrono_literals;

namespace {

constexpr int kWrongRevision = 10071;
using MaybeEntry = std::optional<bus::Entry>;
using Revision = std::optional<std::uint64_t>;

MaybeEntry get(Line& line, const std::string& key) {
    return line.must<MaybeEntry>(&bus::Bus::get, "SAGA_OWNERS", key);
}
std::uint64_t put(Line& line, const std::string& key, const std::string& value, Revision revision) {
    return line.must<std::uint64_t>(&bus::Bus::put, "SAGA_OWNERS", key, value, revision);
}
int refused(Line& line, const std::string& key, Revision revision) {
    return line.fails<std::uint64_t>(&bus::Bus::put, "SAGA_OWNERS", key, "no", revision).code;
}

}  // namespace

TEST_CASE("bucket: keeps a value by its revision, and what was killed has it still") {
    on_each_stage([](Stage& stage) {
        Line& line = stage.connect();
        CHECK(!get(line, "a"));
        const std::uint64_t first = put(line, "a", "one", 0);
        CHECK(refused(line, "a", 0) == kWrongRevision);
        CHECK(refused(line, "a", first + 7) == kWrongRevision);
        CHECK(refused(line, "b", first) == kWrongRevision);
        const std::uint64_t second = put(line, "b", "other", 0);
        CHECK(second == first + 1);  // revisions are the bucket's
        const std::uint64_t third = put(line, "a", "two", first);
        const std::uint64_t fourth = put(line, "a", "three", std::nullopt);
        CHECK(fourth == third + 1);
        stage.kill();
        stage.start();
        REQUIRE(stage.until([&] { return line.heard.connections == 2; }));
        const MaybeEntry entry = get(line, "a");
        REQUIRE(entry.has_value());
        CHECK(entry->value == "three");
        CHECK(entry->revision == fourth);
        CHECK(get(line, "b")->revision == second);
        CHECK(entry->stored_at > get(line, "b")->stored_at);
    });
}

TEST_CASE("bucket: of one that is not there nobody answers, and before 2.10 nobody says so") {
    on_each_stage([](Stage& stage) {
        Line& line = stage.connect();
        CHECK(line.fails<MaybeEntry>(&bus::Bus::get, "NONE", "a").trouble ==
              (stage.since_2_10() ? bus::Trouble::no_responders : bus::Trouble::timeout));
        CHECK(line.fails<std::uint64_t>(&bus::Bus::put, "NONE", "a", "x", Revision()).trouble ==
              bus::Trouble::no_responders);
    });
}

TEST_CASE("request: is answered by who listens, once; silence ends in time") {
    on_each_stage([](Stage& stage) {
        Line& asking = stage.connect();
        Line& listening = stage.connect();
        listening.bus->listen({"saga-ctl.reader.owner", "saga-ctl.reader.silent"});
        stage.settle(listening);
        std::optional<bus::Result<std::string>> answer;
        asking.bus->ask("saga-ctl.reader.owner", {}, "who?", 10s,
                        [&](bus::Result<std::string> result) { answer = std::move(result); });
        REQUIRE(stage.until([&] { return !listening.heard.requests.empty(); }));
        const bus::Request request = listening.heard.requests.front();
        CHECK(request.subject == "saga-ctl.reader.owner");
        CHECK(request.body.size() == 4);
        listening.bus->answer(request.reply, "me", {});
        listening.bus->answer(request.reply, "me again", {});
        REQUIRE(stage.until([&] { return answer.has_value(); }));
        REQUIRE(ok(*answer));
        CHECK(std::get<std::string>(*answer) == "me");
        CHECK(asking
                  .fails<std::string>(&bus::Bus::ask, "saga-ctl.reader.silent", core::Headers{}, "",
                                      std::chrono::milliseconds(300))
                  .trouble == bus::Trouble::timeout);
        listening.bus->unlisten();
        stage.settle(listening);
        CHECK(asking
                  .fails<std::string>(&bus::Bus::ask, "saga-ctl.reader.owner", core::Headers{}, "",
                                      std::chrono::milliseconds(10'000))
                  .trouble == bus::Trouble::no_responders);
    });
}

TEST_CASE("request: who has lost its connection listens no more, until it says so again") {
    on_each_stage([](Stage& stage) {
        Line& asking = stage.connect();
        Line& listening = stage.connect();
        listening.bus->listen({"saga-ctl.reader.owner"});
        stage.settle(listening);
        stage.kill();
        stage.start();
        REQUIRE(stage.until(
            [&] { return asking.heard.connections == 2 && listening.heard.connections == 2; }));
        stage.settle(listening);
        CHECK(asking
                  .fails<std::string>(&bus::Bus::ask, "saga-ctl.reader.owner", core::Headers{}, "",
                                      std::chrono::milliseconds(10'000))
                  .trouble == bus::Trouble::no_responders);
        listening.bus->listen({"saga-ctl.reader.owner"});
        stage.settle(listening);
        asking.bus->ask("saga-ctl.reader.owner", {}, "?", 10s,
                        [](const bus::Result<std::string>&) {});
        CHECK(stage.until([&] { return !listening.heard.requests.empty(); }));
    });
}

TEST_CASE("request: that nobody listens on one subject says nothing of another") {
    on_each_stage([](Stage& stage) {
        Line& asking = stage.connect();
        Line& listening = stage.connect();
        listening.bus->listen({"saga-ctl.reader.slow"});
        stage.settle(listening);
        std::optional<bus::Result<std::string>> slow, nobody;
        asking.bus->ask("saga-ctl.reader.slow", {}, "?", 10s,
                        [&](bus::Result<std::string> result) { slow = std::move(result); });
        asking.bus->ask("saga-ctl.reader.nobody", {}, "?", 10s,
                        [&](bus::Result<std::string> result) { nobody = std::move(result); });
        REQUIRE(stage.until([&] { return nobody && !listening.heard.requests.empty(); }));
        REQUIRE(std::holds_alternative<bus::Problem>(*nobody));
        CHECK(std::get<bus::Problem>(*nobody).trouble == bus::Trouble::no_responders);
        CHECK(!slow);
        listening.bus->answer(listening.heard.requests.front().reply, "late", {});
        REQUIRE(stage.until([&] { return slow.has_value(); }));
        REQUIRE(ok(*slow));
        CHECK(std::get<std::string>(*slow) == "late");
    });
}
