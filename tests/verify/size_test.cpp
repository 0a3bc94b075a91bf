// Ten thousand sagas are checked in seconds.
#include <chrono>

#include "tests/landscape/landscape.hpp"
#include "tests/verify/damage.hpp"

using namespace saga;
using namespace saga::testing;

TEST_CASE("verify: ten thousand sagas take seconds") {
    constexpr int kSagas = 10'000;
    Village village({asker(), granter(), auditor(), reader()});
    for (int i = 0; i < kSagas; ++i)
        village.submit("asker", "ask",
                       detail::pack(test::Ask{.ticket = "t" + std::to_string(i),
                                              .amount = i % 3 == 0 ? 13 : 0}));
    village.settle();
    const verify::Landscape landscape = village.landscape();
    const auto begun = std::chrono::steady_clock::now();
    const auto found = verify::check(landscape, {});
    const auto took = std::chrono::steady_clock::now() - begun;
    CHECK(lines(found) == "");
    MESSAGE(landscape.stream.size(), " events in ",
            std::chrono::duration_cast<std::chrono::milliseconds>(took).count(), " ms");
    CHECK(took < std::chrono::seconds(30));  // a quadratic scan would take an hour
}
