// A disk that stays full, of a machine whose network and broker are well.
#include <doctest/doctest.h>

#include "tests/sim/small_shop.hpp"

using namespace saga;
using namespace saga::sim;
using namespace std::chrono_literals;

TEST_CASE("room: whoever has a full disk keeps its connection and its name, and says what it is") {
    SmallShop shop;
    shop.payment.disk().set({.room = 0});
    shop.place("o");
    shop.until([&] { return shop.payment.trouble().find("disk is full") != std::string::npos; });
    shop.pass(1min);
    for (int nth = 0; nth < 60; ++nth) {
        std::string said;
        const bool heard = shop.broker.request("saga-ctl.payment.state", "",
                                               [&](std::string answer) { said = answer; });
        CHECK(heard);
        shop.pass(1s);
        CHECK(said.find("disk is full") != std::string::npos);
    }
    shop.payment.disk().set({});
    shop.rest();
}
