// I4 and I5: how sagas end.
#include "tests/verify/damage.hpp"

using namespace saga::testing;

TEST_CASE("verify: I4 refutes an end that others know otherwise") {
    CHECK(refutes(damaged(small_village(), "granter",
                          "UPDATE sagas SET ended_by = 'GaveUp' WHERE id = 'held-1'"),
                  "I4"));
    CHECK(refutes(damaged(small_village(), "auditor",
                          "UPDATE sagas SET failed_by = 'Denied' WHERE id = 'held-1'"),
                  "I4"));
    CHECK(refutes(damaged(small_village(), "auditor",
                          "UPDATE sagas SET failed_by = '' WHERE id = 'undone-1'"),
                  "I4"));
}
TEST_CASE("verify: I4 refutes an end that nobody heard, once all is at rest") {
    constexpr auto kUnheard = "UPDATE sagas SET ended_by = '' WHERE id = 'held-2'";
    CHECK(refutes(damaged(shop_village(), "payment", kUnheard), "I4"));
    CHECK(damaged(shop_village(), "payment", kUnheard, {.at_rest = false}).empty());
}
TEST_CASE("verify: I4 refutes a saga that ends twice") {
    CHECK(refutes(changed(small_village(),
                          [](saga::verify::Landscape& all) {
                              all.stream.push_back(
                                  with_id(find(all, ".Closed."), all.stream.size() + 1));
                          }),
                  "I4"));
}

TEST_CASE("verify: I5 refutes a step that stands in a failed saga") {
    CHECK(refutes(damaged(small_village(), "granter",
                          "UPDATE journal SET state = 2, outcome = 'Granted' WHERE state = 5"),
                  "I5"));
    CHECK(refutes(
        damaged(shop_village(), "inventory", "UPDATE journal SET state = 2 WHERE state = 5"),
        "I5"));
    CHECK(refutes(damaged(shop_village(), "payment",
                          "UPDATE sagas SET failed_by = 'ShippingRefused' WHERE id = 'held-1'"),
                  "I5"));
}
TEST_CASE("verify: I5 refutes a step that is undone in a saga that held") {
    CHECK(refutes(damaged(shop_village(), "inventory",
                          "UPDATE journal SET state = 5 WHERE outcome = 'StockReserved'"),
                  "I5"));
    CHECK(refutes(damaged(small_village(), "granter",
                          "UPDATE journal SET state = 6 WHERE outcome = 'Granted'"),
                  "I5"));
}
TEST_CASE("verify: I5 refutes a failure that left no mark, and so no undo") {
    const auto found = damaged(small_village(), "granter",
                               "UPDATE sagas SET failed_by = '' WHERE id = 'undone-1'");
    CHECK(refutes(found, "I5"));
}
