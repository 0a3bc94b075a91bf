#include "shared/money.hpp"

#include <doctest/doctest.h>

#include <limits>

namespace {
constexpr money::Cents kMost = std::numeric_limits<money::Cents>::max();
constexpr money::Cents kLeast = std::numeric_limits<money::Cents>::min();
}  // namespace

TEST_CASE("money: as people write it") {
    CHECK(money::text(0) == "0.00");
    CHECK(money::text(7) == "0.07");
    CHECK(money::text(-7) == "-0.07");
    CHECK(money::text(123) == "1.23");
    CHECK(money::text(99'999) == "999.99");
    CHECK(money::text(100'000) == "1,000.00");
    CHECK(money::text(-123'456'789) == "-1,234,567.89");
    CHECK(money::text(kMost) == "92,233,720,368,547,758.07");
    CHECK(money::text(kLeast) == "-92,233,720,368,547,758.08");
}
TEST_CASE("money: what does not fit is no amount") {
    CHECK(money::sum(kMost - 1, 1) == kMost);
    CHECK_FALSE(money::sum(kMost, 1));
    CHECK_FALSE(money::sum(kLeast, -1));
    CHECK(money::product(kMost / 2, 2) == kMost - 1);
    CHECK_FALSE(money::product(kMost / 2 + 1, 2));
    CHECK_FALSE(money::product(kLeast, -1));
}
