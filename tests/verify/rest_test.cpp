// I7: what is to be found when nothing moves any more.
#include "tests/verify/damage.hpp"

using namespace saga::testing;
using saga::verify::Landscape;

TEST_CASE("verify: I7 refutes what was not read back, or not from there") {
    CHECK(refutes(
        damaged(small_village(), "asker", "UPDATE outbox SET stream_seq = NULL WHERE seq = 1"),
        "I7"));
    CHECK(refutes(damaged(small_village(), "asker",
                          "UPDATE outbox SET stream_seq = stream_seq + 1 WHERE seq = 1"),
                  "I7"));
}
TEST_CASE("verify: I7 refutes an event that the stream lost") {
    const auto found =
        changed(small_village(), [](Landscape& all) { all.stream.erase(all.stream.begin() + 2); });
    CHECK(refutes(found, "I7"));
}
TEST_CASE("verify: I7 refutes an event that nobody published, or published as another") {
    CHECK(refutes(changed(small_village(),
                          [](Landscape& all) {
                              all.stream.push_back(with_id(all.stream[0], all.stream.size() + 1));
                          }),
                  "I7"));
    CHECK(refutes(damaged(small_village(), "granter", "DELETE FROM outbox WHERE seq = 1"), "I7"));
}
TEST_CASE("verify: I7 refutes an event that a reader has not taken") {
    CHECK(refutes(damaged(small_village(), "reader", "DELETE FROM inbox WHERE saga = 1"), "I7"));
    CHECK(refutes(
        damaged(shop_village(), "shipping", "DELETE FROM arrived WHERE step = 'ship' AND saga = 1"),
        "I7"));
    CHECK(refutes(
        damaged(small_village(), "granter", "DELETE FROM inbox WHERE reaction = 'expect'"), "I7"));
    CHECK(refutes(damaged(small_village(), "granter",
                          "UPDATE sagas SET failed_by = '' WHERE id = 'undone-1'"),
                  "I7"));
    CHECK(refutes(damaged(small_village(), "auditor", "UPDATE cursor SET seq = 1"), "I7"));
}
