// Landscapes that are right give no violation, at rest and on the way there.
#include "tests/landscape/landscape.hpp"
#include "tests/verify/damage.hpp"
#include "tests/verify/troubled.hpp"

using namespace saga;
using namespace saga::testing;

namespace {
std::string wrong(Village& village, bool at_rest = true) {
    verify::Options options;
    options.at_rest = at_rest;
    return lines(verify::check(village.landscape(), options));
}
}  // namespace

TEST_CASE("verify: a small landscape at rest is right") {
    CHECK(wrong(small_village()) == "");
    CHECK(small_village().value("asker", "SELECT count(*) FROM sagas WHERE ended_by = 'Closed'") ==
          2);
}

TEST_CASE("verify: the shop at rest is right") {
    CHECK(wrong(shop_village()) == "");
    CHECK(shop_village().value("payment", "SELECT count(*) FROM journal WHERE state = 5") == 2);
}

TEST_CASE("verify: what was given up is no violation, and is listed") {
    Village& village = troubled_village();
    CHECK(wrong(village) == "");
    CHECK(wrong(village, false) == "");
    const std::string dead = lines(verify::dead(village.landscape()));
    CHECK(dead.find("dead granter dead-1: step grant") != std::string::npos);
    CHECK(dead.find("stands aside: spoofed") != std::string::npos);
}

TEST_CASE("verify: events that come again and again are one event each") {
    Village village({asker(), granter(), auditor(), reader()});
    village.command("asker", "ask", test::Ask{.ticket = "held", .amount = 20});
    village.command("asker", "ask", test::Ask{.ticket = "undone", .amount = 13});
    for (const verify::Stored& stored : village.landscape().stream)
        village.inject(stored.subject, stored.bytes);
    village.settle();
    CHECK(wrong(village) == "");
}

TEST_CASE("verify: between any two rounds what must always hold does") {
    Village village({asker(), granter(), auditor(), reader()});
    for (const int amount : {20, 13, 90}) {
        village.submit(
            "asker", "ask",
            detail::pack(test::Ask{.ticket = "t" + std::to_string(amount), .amount = amount}));
        for (int round = 0; round < 8; ++round)
            for (const char* service : {"reader", "auditor", "granter", "asker"}) {
                village.turn(service);
                REQUIRE(wrong(village, false) == "");
            }
    }
    CHECK(wrong(village) == "");
}

TEST_CASE("verify: what the broker no longer holds is not missed") {
    const auto found = changed(shop_village(), [](verify::Landscape& all) {
        all.stream.erase(all.stream.begin(), all.stream.begin() + 10);
        all.stream_whole = false;
    });
    CHECK(lines(found) == "");
}

TEST_CASE("verify: what was pruned by age is not missed") {
    Village village({asker(), granter(), auditor(), reader()});
    village.command("asker", "ask", test::Ask{.ticket = "held", .amount = 20});
    village.elapse(std::chrono::hours(48));
    village.command("asker", "ask", test::Ask{.ticket = "later", .amount = 20});
    for (const char* service : {"asker", "granter", "auditor"})
        village.exec(service, "DELETE FROM outbox WHERE saga = 1");
    CHECK(wrong(village) == "");
    village.exec("asker", "DELETE FROM outbox WHERE saga = 2");
    CHECK(wrong(village) != "");
}
