#include "saga/core/ids.hpp"

#include <doctest/doctest.h>

#include <cstring>
#include <numeric>
#include <set>

#include "tests/unit/property.hpp"

using namespace saga;
using namespace saga::core;
using saga::test::counterexample;
using std::chrono::microseconds;

namespace {

std::array<std::uint8_t, IdKey::kSize> secret(std::uint8_t first = 0) {
    std::array<std::uint8_t, IdKey::kSize> bytes;
    std::iota(bytes.begin(), bytes.end(), first);
    return bytes;
}
EventId counting() {
    EventId id;
    std::iota(id.bytes.begin(), id.bytes.end(), std::uint8_t{0});
    return id;
}
Bytes bytes(std::string_view text) {
    return std::as_bytes(std::span(text));
}

const Time kStarted{microseconds(1'767'225'600'123'456)};  // 2026-01-01T00:00:00.123456Z
const Work kTake{.service = "payment", .saga = "o1", .step = "take"};

}  // namespace

// Another program computed these, with the key 00 01 02 .. 1f. Never change: they stand in streams.
TEST_CASE("ids: are those of the golden vectors") {
    const IdKey key{secret()};
    Work work = kTake;
    CHECK(key.id(kStarted, work).text() == "019b76da-a87b-83a9-8389-55df61162bec");
    work.role = Role::call;
    CHECK(key.id(kStarted, work).text() == "019b76da-a87b-81a5-ae41-02b4c839ce03");
    const Work note{
        .service = "parcel", .saga = "o1", .step = "note", .slot = 2, .trigger = counting()};
    CHECK(key.id(kStarted, note).text() == "019b76da-a87b-8374-802d-ced4de4d8f7a");
    CHECK(key.fingerprint().text() == "50729294-7d2a-6a8d-3ad3-bccd27fc886c");
    CHECK(key.digest("place", bytes("body")).text() == "3185dd0f-1d91-a65d-1044-31a3b6ed8153");
}

TEST_CASE("ids: the same work has the same id, in every life of the process") {
    CHECK(IdKey{secret()}.id(kStarted, kTake) == IdKey{secret()}.id(kStarted, kTake));
    const IdKey key{secret()};
    const IdKey copy = key;
    key.id(kStarted, {.service = "other"});
    CHECK(copy.id(kStarted, kTake) == key.id(kStarted, kTake));
}

TEST_CASE("ids: each part of the work makes another id") {
    const IdKey key{secret()};
    std::set<EventId> ids{key.id(kStarted, kTake)};
    const auto differs = [&](auto change) {
        Work work = kTake;
        change(work);
        return ids.insert(key.id(kStarted, work)).second;
    };
    CHECK(differs([](Work& work) { work.service = "payments"; }));
    CHECK(differs([](Work& work) { work.saga = "o2"; }));
    CHECK(differs([](Work& work) { work.step = "take2"; }));
    CHECK(differs([](Work& work) { work.slot = 1; }));
    CHECK(differs([](Work& work) { work.slot = 1u << 16; }));
    CHECK(differs([](Work& work) { work.trigger.bytes[15] = 1; }));
    for (const Role role :
         {Role::undo, Role::timer, Role::call, Role::command, Role::operation, Role::notice})
        CHECK(differs([role](Work& work) { work.role = role; }));
    CHECK(ids.insert(IdKey{secret(1)}.id(kStarted, kTake)).second);
    CHECK(ids.insert(key.id(kStarted + std::chrono::milliseconds(1), kTake)).second);
}

TEST_CASE("ids: words that read alike when put together are told apart") {
    const IdKey key{secret()};
    CHECK(key.id(kStarted, {.service = "ab", .saga = "c"}) !=
          key.id(kStarted, {.service = "a", .saga = "bc"}));
    CHECK(key.digest("ab", bytes("c")) != key.digest("a", bytes("bc")));
}

TEST_CASE("ids: are UUIDs of version 8 that begin with the milliseconds of the saga's start") {
    const IdKey key{secret()};
    const std::string against = counterexample([&](std::uint32_t seconds, const std::string& saga) {
        const Time started{std::chrono::seconds(seconds)};
        const EventId id = key.id(started, {.service = "s", .saga = saga});
        RC_ASSERT((id.bytes[6] >> 4) == 8);
        RC_ASSERT((id.bytes[8] >> 6) == 2);
        std::uint64_t ms = 0;
        for (std::size_t i = 0; i < 6; ++i) ms = ms << 8 | id.bytes[i];
        RC_ASSERT(ms == std::uint64_t{seconds} * 1'000);
    });
    CHECK(against == "");
    CHECK(key.id(kStarted, kTake) == key.id(kStarted + microseconds(543), kTake));
}

TEST_CASE("ids: the text of one is read back, and nothing else is") {
    const std::string against = counterexample([](const std::array<std::uint8_t, 16>& bytes) {
        EventId id;
        id.bytes = bytes;
        RC_ASSERT(EventId::parse(id.text()) == id);
        RC_ASSERT(id.text().size() == 36u);
    });
    CHECK(against == "");
    CHECK(counting().text() == "00010203-0405-0607-0809-0a0b0c0d0e0f");
    CHECK(EventId::parse("00010203-0405-0607-0809-0A0B0C0D0E0F") == counting());
    for (const char* text :
         {"", "00010203-0405-0607-0809-0a0b0c0d0e0", "000102030405060708090a0b0c0d0e0f",
          "00010203-0405-0607-0809-0a0b0c0d0e0g", "00010203-0405-0607-08090-a0b0c0d0e0f",
          "{0010203-0405-0607-0809-0a0b0c0d0e0f", "00010203-0405-0607-0809-0a0b0c0d0e0f0",
          " 0010203-0405-0607-0809-0a0b0c0d0e0f"}) {
        CAPTURE(text);
        CHECK_FALSE(EventId::parse(text));
    }
}

// ---- what is sealed -----------------------------------------------------------------------------

TEST_CASE("seal: is that of the golden vector") {
    const auto sealed = IdKey{secret()}.seal(counting(), bytes("charge c7"));
    std::string hex;
    for (const std::byte byte : sealed) {
        constexpr char kHex[] = "0123456789abcdef";
        hex += {kHex[std::to_integer<int>(byte) >> 4], kHex[std::to_integer<int>(byte) & 15]};
    }
    CHECK(hex ==
          "5d475f197b99836c7230f8d78ff11c179e1fab96a029a33430167f2d54e127b6f5f5a92c61e250d01c3c7ce0"
          "0134130eee");
}

TEST_CASE("seal: opens to what was sealed, and the same seals alike") {
    const IdKey key{secret()};
    const std::string against = counterexample([&](const std::vector<std::uint8_t>& content) {
        const Bytes plain = std::as_bytes(std::span(content));
        const auto sealed = key.seal(counting(), plain);
        RC_ASSERT(sealed == key.seal(counting(), plain));
        const auto opened = key.open(counting(), sealed);
        RC_ASSERT(opened.has_value());
        RC_ASSERT(std::equal(opened->begin(), opened->end(), plain.begin(), plain.end()));
    });
    CHECK(against == "");
}

TEST_CASE("seal: opens for nobody else, for no other id, and not when a bit was turned") {
    const IdKey key{secret()};
    const auto sealed = key.seal(counting(), bytes("charge c7"));
    EventId other = counting();
    other.bytes[0] = 1;
    CHECK(key.open(counting(), sealed));
    CHECK_FALSE(IdKey{secret(1)}.open(counting(), sealed));
    CHECK_FALSE(key.open(other, sealed));
    for (std::size_t at = 0; at < sealed.size(); ++at) {
        auto spoilt = sealed;
        spoilt[at] ^= std::byte{1};
        CHECK_FALSE(key.open(counting(), spoilt));
        CHECK_FALSE(key.open(counting(), Bytes(sealed).first(at)));
    }
}

TEST_CASE("seal: another content has another nonce") {
    const IdKey key{secret()};
    const auto one = key.seal(counting(), bytes("charge c7")),
               two = key.seal(counting(), bytes("charge c8"));
    CHECK_FALSE(std::equal(one.begin(), one.begin() + 24, two.begin()));
}
