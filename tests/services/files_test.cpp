#include "services/shop/files.hpp"

#include <doctest/doctest.h>

#include <functional>

#include "services/shop/command.hpp"

using namespace shop;

namespace {

std::string why(const std::function<void()>& read) {
    try {
        read();
    } catch (const Stop& stop) {
        return stop.what();
    }
    return "it was read";
}

}  // namespace

TEST_CASE("files: what a terminal would obey is not told to one") {
    const std::string header = "order_id,customer_id,sku,quantity,unit_price_cents\n";
    const std::string orders = header + "o1,ann,tea,\x1b[2J\xC2\x9B\x7Fgr\xC3\xBCn,1\n";
    CHECK(why([&] { read_orders("o.csv", orders); }) ==
          "o.csv, line 2: quantity is \"?[2J??gr\xC3\xBCn\", and has to be a whole number from 1 "
          "to 1000000");
    CHECK(why([] { read_line("\x1b[2J"); }).starts_with("\"?[2J\" is no line"));
}
