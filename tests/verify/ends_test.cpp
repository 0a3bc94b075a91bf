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
TEST_CASE("verify: I4 refutes an end that nobody heard") {
    const auto found =
        damaged(shop_village(), "payment", "UPDATE sagas SET ended_by = '' WHERE id = 'held-2'");
    CHECK(refutes(found, "I4"));
    saga::verify::Options moving;
    moving.at_rest = false;
    CHECK(damaged(shop_village(), "payment", "UPDATE sagas SET ended_by = '' WHERE id = 'held-2'",
                  moving)
              .empty());
}
TEST_CASE("verify: I4 refutes a saga that ends twice") {
    CHECK(refutes(changed(small_village(),
                          [](saga::verify::Landscape& landscape) {
                              for (const auto& stored : landscape.stream) {
                                  if (stored.subject.find(".Closed.") == std::string::npos)
                                      continue;
                                  landscape.stream.push_back(
                                      with_id(stored, landscape.stream.size() + 1));
                                  break;
                              }
                          }),
                  "I4"));
}
