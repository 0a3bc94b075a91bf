// I3: the shop's money and stock.
#include "tests/verify/damage.hpp"
#include "tests/verify/shop_books.hpp"

using namespace saga;
using namespace saga::testing;

namespace {

/// The shop's books, once something has been done to one of its databases.
std::vector<verify::Violation> books_after(const std::string& service, const std::string& sql,
                                           bool at_rest = true) {
    Village& village = shop_village();
    village.exec(service, "BEGIN");
    village.exec(service, sql);
    auto found = check_books(village.landscape(), ask_bank, {.at_rest = at_rest});
    village.exec(service, "ROLLBACK");
    return found;
}

}  // namespace

TEST_CASE("verify: the shop's books add up") {
    const auto books = shop_books(shop_village().landscape(), ask_bank);
    CHECK(books.orders.size() == 5);
    CHECK(books.charges.size() == 4);
    CHECK(lines(check_books(shop_village().landscape(), ask_bank, {})) == "");
    CHECK(lines(check_books(shop_village().landscape(), ask_bank, {.at_rest = false})) == "");
}
TEST_CASE("verify: I3 refutes money and stock that do not add up") {
    CHECK(refutes(books_after("inventory", "UPDATE product SET units = units - 1"), "I3"));
    CHECK(refutes(books_after("payment", "UPDATE payment SET refunded = 0"), "I3"));
    CHECK(refutes(books_after("shipping", "DELETE FROM parcel WHERE order_id = 'held-1'"), "I3"));
    CHECK(refutes(books_after("order", "UPDATE orders SET state = 'rejected'"), "I3"));
}
TEST_CASE("verify: I3 refutes under way what one service's books say alone") {
    CHECK(refutes(books_after("inventory", "DELETE FROM reserved", false), "I3"));
    CHECK(refutes(books_after("payment", "UPDATE payment SET refunded = 1", false), "I3"));
    CHECK(lines(books_after("shipping", "DELETE FROM parcel", false)) == "");
}
