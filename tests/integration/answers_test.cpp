// A service in shards is asked as one: who answers, and what a part of an answer counts.
#include <fmt/format.h>

#include "tests/integration/split.hpp"

using namespace saga;
using namespace saga::testing;

TEST_CASE("shards: asked as a service, the one that has the saga answers, or each for its part") {
    on_each_split([](Split& s) {
        s.stop_granter();
        s.move(2);
        s.start(2);
        s.ask("t", 4);
        for (const char* about : {R"({"saga":"t0"})", R"({"saga":"t1"})", R"({"saga":"t2"})"}) {
            const auto json = s.alone("saga-ctl.granter.retry", about);
            CHECK(json["refused"]["why"] == "nothing of that saga is dead here");
        }
        const auto why = [&](const char* verb, const char* body) {
            const std::string answer = s.said(fmt::format("saga-ctl.granter.{}", verb), body);
            return nlohmann::json::parse(answer)["refused"].value("code", "");
        };
        CHECK(why("retry", "17") == "sharded");
        CHECK(why("letter", R"({"id":"17"})") == "sharded");
        CHECK(why("drop", R"({"id":"17","reason":"none"})") == "sharded");
        CHECK(why("drop", R"({"id":"17","saga":"t0","reason":"none"})") == "sharded");
        for (int nth = 0; nth < 2; ++nth) {
            const auto state = nlohmann::json::parse(
                s.said(fmt::format("saga-ctl.granter-{}-of-2.state", nth), ""));
            CHECK(state["service"] == fmt::format("granter-{}-of-2", nth));
            CHECK(state["shard"] == fmt::format("{}/2", nth));
        }
        bus::NatsClient client(address_of(s.l.broker), "a client");
        auto asking = std::async(std::launch::async, [&] {
            return client.request_all("saga-ctl.granter.grants", "", 5s);
        });
        REQUIRE(drive(s.all(), [&] { return asking.wait_for(0s) == std::future_status::ready; }));
        const std::vector<std::string> answers = asking.get();
        std::size_t rows = 0;
        for (const std::string& answer : answers) rows += nlohmann::json::parse(answer).size();
        CHECK(answers.size() == 2);
        // Where one answers alone, nobody waits for another.
        auto alone = std::async(std::launch::async, [&] {
            return client.request_all("saga-ctl.granter-1-of-2.grants", "", 5s).size() +
                   client.request_all("saga-ctl.granter.dead", R"({"saga":"t0"})", 5s).size();
        });
        REQUIRE(drive(s.all(), [&] { return alone.wait_for(0s) == std::future_status::ready; }));
        CHECK(alone.get() == 2);
        CHECK(rows == 4);
    });
}

TEST_CASE("shards: of a saga that is dead in its shard, this one alone tells, and tries it again") {
    on_each_split([](Split& s) {
        s.stop_granter();
        s.move(2);
        s.start(2);
        for (unsigned nth = 0; nth < 2; ++nth) {
            Instance& shard = *s.shards[nth];
            const std::string saga = core::Shard{nth, 2}.takes("t0") ? "t0" : "t1";
            REQUIRE(core::Shard{nth, 2}.takes(saga));
            s.make_dead(shard, saga);
            const std::string about = fmt::format(R"({{"saga":"{}"}})", saga);
            const auto dead = s.alone("saga-ctl.granter.dead", about);
            REQUIRE(dead.size() == 1);
            CHECK(dead[0]["saga"] == saga);
            exec(shard, fmt::format("DELETE FROM grants WHERE ticket = '{}'", saga));
            CHECK(s.alone("saga-ctl.granter.retry", about).contains("accepted"));
            ++s.asked;
            REQUIRE(drive(s.all(), [&] { return ended(*s.l.asking) == s.asked; }));
        }
        s.each_has_its_own();
    });
}

TEST_CASE(
    "shards: a shard does nothing for a saga that another one has, by whatever name it is asked") {
    on_each_split([](Split& s) {
        s.stop_granter();
        s.move(2);
        s.start(2);
        const unsigned other = core::Shard{0, 2}.takes("t") ? 1 : 0;
        const std::string said = s.said(fmt::format("saga-ctl.granter-{}-of-2.retry", other),
                                        R"({"saga":"t","reason":"by its name"})");
        CHECK_MESSAGE(said.find("sharded") != std::string::npos, said);
        CHECK_MESSAGE(said.find("ask saga-ctl.granter.retry") != std::string::npos, said);
    });
}

TEST_CASE("shards: a part of an answer is none") {
    on_each_split([](Split& s) {
        s.stop_granter();
        s.move(2);
        s.start(2);
        s.shards.pop_back();
        bus::NatsClient client(address_of(s.l.broker), "a client");
        auto half = std::async(std::launch::async, [&]() -> std::string {
            try {
                client.request_all("saga-ctl.granter.grants", "", 1s);
            } catch (const bus::NoAnswer& none) {
                return none.what();
            }
            return "";
        });
        REQUIRE(drive(s.all(), [&] { return half.wait_for(0s) == std::future_status::ready; }));
        CHECK(half.get() == "1 of 2 shards answered on saga-ctl.granter.grants within 1000 ms");
    });
}

TEST_CASE("shards: what an operator says of junk counts in the shard that put it aside") {
    on_each_split([](Split& s) {
        s.stop_granter();
        s.move(2);
        s.start(2);
        for (int partition = 0; partition < 4; ++partition) {
            const std::string text = "no event";
            REQUIRE(inject(s.l.broker, fmt::format("saga.asker.done.Asked.p0{}", partition),
                           std::as_bytes(std::span(text))) != 0);
        }
        REQUIRE(drive(s.all(), [&] {
            return s.shards[0]->value("SELECT count(*) FROM aside") == 2 &&
                   s.shards[1]->value("SELECT count(*) FROM aside") == 2;
        }));
        for (int nth = 0; nth < 2; ++nth)
            CHECK(s.said(fmt::format("saga-ctl.granter-{}-of-2.drop", nth),
                         R"({"id":"aside-1","reason":"junk of a test"})")
                      .starts_with("{\"accepted\""));
        REQUIRE(drive(s.all(), [&] {
            return s.shards[0]->value("SELECT count(*) FROM aside") == 1 &&
                   s.shards[1]->value("SELECT count(*) FROM aside") == 1;
        }));
        for (const auto& each : s.shards) CHECK(each->running());
    });
}
