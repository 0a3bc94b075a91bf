// Landscapes that are right give no violation, at rest and on the way there.
#include "tests/landscape/landscape.hpp"
#include "tests/verify/damage.hpp"

using namespace saga;
using namespace saga::testing;

TEST_CASE("verify: a small landscape at rest is right") {
    CHECK(sentences(verify::check(small_village().landscape(), {})) == std::vector<std::string>{});
    CHECK(small_village().value("asker", "SELECT count(*) FROM sagas WHERE ended_by = 'Closed'") ==
          2);
}

TEST_CASE("verify: the shop at rest is right") {
    CHECK(sentences(verify::check(shop_village().landscape(), {})) == std::vector<std::string>{});
    CHECK(shop_village().value("payment", "SELECT count(*) FROM journal WHERE state = 5") == 2);
}

TEST_CASE("verify: events that come again and again are one event each") {
    Village village({asker(), granter(), auditor(), reader()});
    village.command("asker", "ask", test::Ask{.ticket = "held", .amount = 20});
    village.command("asker", "ask", test::Ask{.ticket = "undone", .amount = 13});
    for (const verify::Stored& stored : village.landscape().stream)
        village.inject(stored.subject, stored.bytes);
    village.settle();
    CHECK(sentences(verify::check(village.landscape(), {})) == std::vector<std::string>{});
}

TEST_CASE("verify: between any two rounds what must always hold does") {
    Village village({asker(), granter(), auditor(), reader()});
    verify::Options moving;
    moving.at_rest = false;
    for (const int amount : {20, 13, 90}) {
        village.submit(
            "asker", "ask",
            detail::pack(test::Ask{.ticket = "t" + std::to_string(amount), .amount = amount}));
        for (int round = 0; round < 8; ++round)
            for (const char* service : {"reader", "auditor", "granter", "asker"}) {
                village.turn(service);
                REQUIRE(sentences(verify::check(village.landscape(), moving)) ==
                        std::vector<std::string>{});
            }
    }
    CHECK(sentences(verify::check(village.landscape(), {})) == std::vector<std::string>{});
}
