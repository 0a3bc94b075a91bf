// The engine's promises, with services of a small landscape on real nats-servers.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "tests/integration/stage.hpp"

using namespace saga;
using namespace saga::testing;

TEST_CASE("landscape: sagas complete, are denied, and are undone") {
    on_each_landscape([](Landscape& l) {
        CHECK(l.ask("good", 50).find("accepted") != std::string::npos);
        CHECK(l.ask("unlucky", 13).find("accepted") != std::string::npos);
        CHECK(l.ask("greedy", 90).find("accepted") != std::string::npos);
        CHECK(l.ask("bad", -1).find("invalid") != std::string::npos);
        REQUIRE(l.drive_all([&] { return ended(*l.asking) == 3 && l.at_rest(); }));
        const auto words = ends(l.broker);
        CHECK(words.at("good") == "Closed");
        CHECK(words.at("unlucky") == "GaveUp");
        CHECK(words.at("greedy") == "GaveUp");
        CHECK(l.granting->value("SELECT sum(amount) FROM grants") == 50);
        CHECK(l.auditing->value("SELECT count(*) FROM checks") == 1);
    });
}

TEST_CASE("landscape: a command has a memory, also after a restart") {
    on_each_landscape([](Landscape& l) {
        const std::string first = l.ask("t1", 5);
        CHECK(l.ask("t1", 5) == first);
        CHECK(l.ask("t1", 6).find("conflict") != std::string::npos);
        l.asking->kill();
        l.asking.emplace(asker(), l.folder.path(), l.broker.url());
        REQUIRE(l.drive_all([&] { return l.ready(); }));
        CHECK(l.ask("t1", 5) == first);
        CHECK(l.ask("t1", 7).find("conflict") != std::string::npos);
        REQUIRE(l.drive_all([&] { return l.at_rest(); }));
        CHECK(l.granting->value("SELECT count(*) FROM grants") == 1);
    });
}

TEST_CASE("landscape: every service may die at any moment") {
    on_each_landscape([](Landscape& l) {
        for (int i = 0; i < 30; ++i) {
            l.ask(fmt::format("t{}", i), i % 5 == 0 ? 13 : 1);
            auto& victim = i % 3 == 0 ? l.asking : i % 3 == 1 ? l.granting : l.auditing;
            victim->kill();
            victim.emplace(i % 3 == 0   ? asker()
                           : i % 3 == 1 ? granter()
                                        : auditor(),
                           l.folder.path(), l.broker.url());
            REQUIRE(l.drive_all([&] { return l.asking->ready(); }));
        }
        REQUIRE(l.drive_all([&] { return ended(*l.asking) == 30 && l.at_rest(); }));
        CHECK(l.granting->value("SELECT sum(amount) FROM grants") == 24);
        CHECK(l.auditing->value("SELECT count(*) FROM checks") == 24);
    });
}

TEST_CASE("landscape: the broker may be killed at any moment") {
    on_each_landscape([](Landscape& l) {
        for (int i = 0; i < 5; ++i) {
            for (int k = 0; k < 5; ++k) l.ask(fmt::format("t{}-{}", i, k), 1);
            l.broker.kill();
            l.broker.start();
            REQUIRE(l.drive_all([&] { return l.ready(); }));
        }
        REQUIRE(l.drive_all([&] { return ended(*l.asking) == 25 && l.at_rest(); }));
        CHECK(l.granting->value("SELECT sum(amount) FROM grants") == 25);
        CHECK(ends(l.broker).size() == 25);
    });
}

TEST_CASE("landscape: the broker's whole store may be wiped") {
    on_each_landscape([](Landscape& l) {
        for (int i = 0; i < 10; ++i) l.ask(fmt::format("before{}", i), 1);
        l.broker.kill();
        l.broker.wipe();
        l.broker.start();
        l.broker.bootstrap();
        for (Instance* each : l.all()) each->turn();
        REQUIRE(l.drive_all([&] { return l.ready(); }));
        for (int i = 0; i < 10; ++i) l.ask(fmt::format("after{}", i), 1);
        REQUIRE(l.drive_all([&] { return ended(*l.asking) == 20 && l.at_rest(); }));
        CHECK(l.granting->value("SELECT sum(amount) FROM grants") == 20);
        CHECK(l.auditing->value("SELECT count(*) FROM checks") == 20);
        CHECK(ends(l.broker).size() == 20);
    });
}

TEST_CASE("landscape: after the broker's store was wiped a service says again what it reads") {
    on_each_landscape([](Landscape& l) {
        l.auditing->stop();
        l.auditing.emplace(auditor(), l.folder.path(), l.broker.url(),
                           Instance::Options{.contract = "its contract"});
        const auto said = [&] {
            const auto* last = R"({"last_by_subj": "$KV.SAGA_CONTRACTS.auditor"})";
            try {
                return !api(l.broker, "STREAM.MSG.GET.KV_SAGA_CONTRACTS", last).empty();
            } catch (const std::runtime_error&) {
                return false;
            }
        };
        REQUIRE(l.drive_all(said));
        l.broker.kill();
        l.broker.wipe();
        l.broker.start();
        l.broker.bootstrap();
        CHECK(!said());
        CHECK(l.drive_all(said));
    });
}

TEST_CASE("landscape: the broker may go back, and grow past us with other messages") {
    on_each_landscape([](Landscape& l) {
        for (int i = 0; i < 5; ++i) l.ask(fmt::format("old{}", i), 1);
        REQUIRE(l.drive_all([&] { return l.at_rest(); }));
        l.broker.kill();
        l.broker.save();
        l.broker.start();
        for (int i = 0; i < 5; ++i) l.ask(fmt::format("lost{}", i), 1);
        REQUIRE(l.drive_all([&] { return ended(*l.asking) == 10 && l.at_rest(); }));
        l.broker.kill();
        l.broker.restore();
        l.broker.start();
        for (int i = 0; i < 10; ++i) l.ask(fmt::format("new{}", i), 1);
        REQUIRE(l.drive_all([&] { return ended(*l.asking) == 20 && l.at_rest(); }));
        CHECK(ends(l.broker).size() == 20);
        CHECK(l.granting->value("SELECT sum(amount) FROM grants") == 20);
        std::int64_t rewinds = 0;
        for (Instance* each : l.all())
            rewinds += nlohmann::json::parse(each->node().state_json())["rewinds"].get<int>();
        CHECK(rewinds > 0);
    });
}
