// What is to be sent has room in memory for so much; the rest waits in the database.
#include "saga/runtime/relay.hpp"

#include <doctest/doctest.h>

#include <cstring>

#include "saga/core/limits.hpp"
#include "tests/fuzz/silent_bus.hpp"
#include "tests/unit/store/fixture.hpp"

using namespace saga;
using namespace saga::test;

TEST_CASE("relay: says whether rows wait in the database for room") {
    Fresh f;
    fuzz::SilentBus bus;
    runtime::Relay relay(bus, f.store.outbox);
    constexpr auto kMost = static_cast<std::int64_t>(core::kMaxUnsettled);
    const auto put = [&](std::int64_t nth) {
        EventId id;
        std::memcpy(id.bytes.data(), &nth, sizeof nth);
        f.store.outbox.insert(
            {.seq = 0, .id = id, .saga = 1, .subject = "saga.x", .envelope = bytes("?")}, at_ms(1),
            std::nullopt);
    };
    for (std::int64_t nth = 1; nth < kMost; ++nth) put(nth);
    relay.reload();
    CHECK_FALSE(relay.overflows());
    for (std::int64_t nth = kMost; nth < kMost + 1'000; ++nth) put(nth);
    relay.reload();
    CHECK(relay.overflows());
    CHECK(relay.events().unsettled() < core::kMaxUnsettled + 256);  // whole pages of rows
}
