#include "saga/core/payload_rules.hpp"

#include <doctest/doctest.h>

#include <cstring>
#include <saga/error.hpp>

#include "shapes.hpp"

using namespace saga;
using namespace saga::core;
using test::shapes::Colour;
using test::shapes::EverythingT;
using test::shapes::Right;

namespace {

template <class T>
std::vector<std::byte> pack(const T& table) {
    flatbuffers::FlatBufferBuilder builder;
    builder.Finish(T::TableType::Pack(builder, &table));
    const auto* begin = reinterpret_cast<const std::byte*>(builder.GetBufferPointer());
    return {begin, begin + builder.GetSize()};
}
template <class T>
bool verify(Bytes bytes) {
    flatbuffers::Verifier verifier(reinterpret_cast<const std::uint8_t*>(bytes.data()),
                                   bytes.size(), detail::kMaxTableDepth, detail::kMaxTables);
    return bytes.size() >= 4 && verifier.VerifyBuffer<typename T::TableType>(nullptr);
}
const detail::EventType kEverything{"test.shapes.Everything", "shapes", "Everything",
                                    &verify<EverythingT>, test::shapes::kShapesSchema};

std::unique_ptr<test::shapes::Box> box_of(Colour colour) {
    constexpr std::array sides{0.0, 1.5};
    return std::make_unique<test::shapes::Box>(test::shapes::Point{},
                                               flatbuffers::span<const double, 2>(sides), colour);
}

EverythingT everything() {
    EverythingT e;
    e.word = "gr\xC3\xBCn";
    e.words = {"a", ""};
    e.colour = Colour::blue;
    e.rights = static_cast<Right>(3);  // both
    e.colours = {Colour::red, Colour::blue};
    e.box = box_of(Colour::green);
    e.leaves.push_back(std::make_unique<test::shapes::LeafT>());
    e.leaves.front()->word = "leaf";
    e.any.Set(std::string("word"));
    e.all.resize(2);
    e.all[0].Set(test::shapes::LeafT{});
    e.all[1].Set(test::shapes::Point{7, 8});
    e.last = "!";
    return e;
}

template <class Change>
bool sound_with(Change change) {
    EverythingT e = everything();
    change(e);
    const auto payload = pack(e);
    REQUIRE(verify<EverythingT>(payload));
    return is_sound(kEverything, payload);
}

/// Turns one scalar of a packed table into another, by its field's place.
std::vector<std::byte> with_byte(std::vector<std::byte> payload, flatbuffers::voffset_t field,
                                 std::uint8_t value) {
    auto* table = flatbuffers::GetMutableRoot<flatbuffers::Table>(payload.data());
    auto* at = table->GetAddressOf(field);
    REQUIRE(at != nullptr);
    std::memcpy(at, &value, 1);
    REQUIRE(verify<EverythingT>(payload));
    return payload;
}

}  // namespace

TEST_CASE("payload_rules: what holds to its schema is sound, wherever it stands") {
    CHECK(sound_with([](EverythingT&) {}));
    const auto payload = pack(everything());
    std::vector<std::byte> askew(payload.size() + 1);
    std::memcpy(askew.data() + 1, payload.data(), payload.size());
    CHECK(is_sound(kEverything, Bytes(askew).subspan(1)));
    CHECK_FALSE(is_sound(kEverything, Bytes(payload).first(payload.size() / 2)));
    CHECK_FALSE(is_sound(kEverything, {}));
}

TEST_CASE("payload_rules: text is UTF-8 without a zero byte, wherever it stands") {
    for (const std::string& bad : {std::string("\xFF"), std::string("a\0b", 3), std::string("\xC3"),
                                   std::string("\xED\xA0\x80")}) {
        CAPTURE(bad);
        CHECK_FALSE(sound_with([&](EverythingT& e) { e.word = bad; }));
        CHECK_FALSE(sound_with([&](EverythingT& e) { e.last = bad; }));
        CHECK_FALSE(sound_with([&](EverythingT& e) { e.words.back() = bad; }));
        CHECK_FALSE(sound_with([&](EverythingT& e) { e.leaves.front()->word = bad; }));
        CHECK_FALSE(sound_with([&](EverythingT& e) { e.any.Set(std::string(bad)); }));
        CHECK_FALSE(sound_with([&](EverythingT& e) {
            test::shapes::LeafT leaf;
            leaf.word = bad;
            e.all[0].Set(std::move(leaf));
        }));
    }
}

TEST_CASE("payload_rules: an enumeration's value has a name, and flags have one each") {
    const auto unknown = static_cast<Colour>(9);
    CHECK_FALSE(sound_with([&](EverythingT& e) { e.colour = unknown; }));
    CHECK_FALSE(sound_with([&](EverythingT& e) { e.colour = static_cast<Colour>(-1); }));
    CHECK_FALSE(sound_with([&](EverythingT& e) { e.colours.push_back(unknown); }));
    CHECK_FALSE(sound_with([&](EverythingT& e) { e.box = box_of(unknown); }));
    CHECK_FALSE(sound_with([](EverythingT& e) { e.rights = static_cast<Right>(4); }));
    CHECK(sound_with([](EverythingT& e) { e.rights = static_cast<Right>(0); }));
}

TEST_CASE("payload_rules: a union holds what it says, and says what is known") {
    using test::shapes::Everything;
    const auto payload = pack(everything());
    CHECK(is_sound(kEverything, with_byte(payload, Everything::VT_ANY_TYPE, 0)));  // says: nothing
    CHECK_FALSE(is_sound(kEverything, with_byte(payload, Everything::VT_ANY_TYPE, 77)));
    flatbuffers::FlatBufferBuilder builder;
    const auto last = builder.CreateString("!");
    test::shapes::EverythingBuilder table(builder);
    table.add_last(last);
    table.add_any_type(test::shapes::Any::Leaf);
    builder.Finish(table.Finish());
    const auto* begin = reinterpret_cast<const std::byte*>(builder.GetBufferPointer());
    const std::vector<std::byte> empty(begin, begin + builder.GetSize());
    REQUIRE(verify<EverythingT>(empty));
    CHECK_FALSE(is_sound(kEverything, empty));
}

TEST_CASE("payload_rules: without a schema the verifier judges alone, without a table nobody") {
    detail::EventType bare = kEverything;
    bare.schema = {};
    bare.full = "test.shapes.Bare";
    EverythingT e = everything();
    e.word = "\xFF";
    CHECK(is_sound(bare, pack(e)));
    CHECK_FALSE(is_sound(bare, {}));
    CHECK(is_sound(detail::kAnyFailure, {}));
}

TEST_CASE("payload_rules: a handler's event that nobody would read is refused") {
    EverythingT e = everything();
    CHECK_NOTHROW(require_sound(kEverything, pack(e)));
    e.word = "\xFF";
    CHECK_THROWS_AS(require_sound(kEverything, pack(e)), Error);
}
