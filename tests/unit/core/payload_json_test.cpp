#include "saga/core/payload_json.hpp"

#include <doctest/doctest.h>

#include <array>
#include <limits>
#include <nlohmann/json.hpp>
#include <saga/detail/event_type.hpp>

#include "shapes.hpp"
#include "tests/unit/sparse.hpp"

using namespace saga;
using core::PayloadSchema;
using test::shapes::EverythingT;

namespace {

/// As saga::detail has them, of any table: one with unions is no plain struct.
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

PayloadSchema schema_of(std::string_view bfbs) {
    auto schema = PayloadSchema::read(std::as_bytes(std::span(bfbs)));
    REQUIRE(schema);
    return *schema;
}
const PayloadSchema& shapes() {
    static const PayloadSchema schema = schema_of(test::shapes::kShapesSchema);
    return schema;
}

/// The JSON; of bytes that are refused, why.
std::string read(const PayloadSchema& schema, std::string_view table, Bytes payload) {
    const auto read = schema.json(table, payload);
    const auto* refused = std::get_if<core::Unreadable>(&read);
    return refused ? "refused: " + refused->why : std::get<std::string>(read);
}
template <class E>
std::string read(const PayloadSchema& schema, const E& event) {
    return read(schema, E::TableType::GetFullyQualifiedName(), pack(event));
}

const test::Order kOrder{.order_id = "o-1",
                         .lines = {{.sku = "tea", .units = 2, .price_cents = 450},
                                   {.sku = "cup", .units = 1, .price_cents = 99}},
                         .total_cents = 999};

EverythingT everything() {
    EverythingT e;
    e.yes = true;
    e.tiny = -8;
    e.least = std::numeric_limits<std::int64_t>::min();
    e.most = std::numeric_limits<std::uint64_t>::max();
    e.real = 0.1;
    e.single = 2.5F;
    e.maybe = 0;
    e.colour = test::shapes::Colour::blue;
    e.rights = test::shapes::Right::write;
    e.where = std::make_unique<test::shapes::Point>(1, -2);
    constexpr std::array sides{0.0, 1.5};
    e.box = std::make_unique<test::shapes::Box>(test::shapes::Point{},
                                                flatbuffers::span<const double, 2>(sides),
                                                test::shapes::Colour::red);
    e.word = "tea \"and\" \\ \xE2\x82\xAC";
    e.raw = {1, 2, 255};
    e.numbers = {1, -1};
    e.words = {"a", ""};
    e.colours = {test::shapes::Colour::red, static_cast<test::shapes::Colour>(9)};
    e.points = {{3, 4}};
    e.leaves.push_back(std::make_unique<test::shapes::LeafT>());
    e.leaves.front()->word = "leaf";
    e.any.Set(test::shapes::Point{5, 6});
    e.all.resize(3);
    e.all[0].Set(test::shapes::LeafT{});
    e.all[1].Set(std::string("word"));
    e.all[2].Set(test::shapes::Point{7, 8});
    e.last = "!";
    return e;
}

/// Every answer is sound JSON or a reason, as the generated verifier judges: it alone lets an
/// element's offset lead to itself. How many were JSON.
template <class E>
std::size_t judge(const PayloadSchema& schema, const std::vector<std::vector<std::byte>>& all) {
    std::size_t sound = 0;
    for (const auto& bytes : all) {
        const std::string json = read(schema, E::TableType::GetFullyQualifiedName(), bytes);
        const bool refused = json.starts_with("refused: ");
        CAPTURE(json);
        if (!json.starts_with("refused: no sound offset")) CHECK(refused != verify<E>(bytes));
        if (refused) continue;
        CHECK(nlohmann::json::accept(json));
        ++sound;
    }
    return sound;
}

std::vector<std::vector<std::byte>> truncations(const std::vector<std::byte>& bytes) {
    std::vector<std::vector<std::byte>> all;
    for (std::size_t size = 0; size < bytes.size(); ++size)
        all.emplace_back(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    return all;
}

/// Each byte as every power of two turns it, and as the values that offsets break on.
std::vector<std::vector<std::byte>> flips(const std::vector<std::byte>& bytes) {
    std::vector<std::vector<std::byte>> all;
    for (std::size_t at = 0; at < bytes.size(); ++at) {
        for (unsigned bit = 0; bit < 8; ++bit) {
            all.push_back(bytes);
            all.back()[at] ^= std::byte{1} << bit;
        }
        for (const unsigned value : {0x00U, 0x7FU, 0x80U, 0xFFU}) {
            all.push_back(bytes);
            all.back()[at] = std::byte(value);
        }
    }
    return all;
}

}  // namespace

TEST_CASE("payload_json: shows an event of a shop") {
    CHECK(read(shapes(), kOrder) ==
          R"({"order_id":"o-1","lines":[{"sku":"tea","units":2,"price_cents":450},)"
          R"({"sku":"cup","units":1,"price_cents":99}],"total_cents":999})");
    CHECK(read(shapes(), test::Rejected{.order_id = "o-1"}) == R"({"order_id":"o-1"})");
}

TEST_CASE("payload_json: shows every kind of field, in the order of declaration") {
    CHECK(read(shapes(), everything()) ==
          R"({"yes":true,"tiny":-8,"small":7,"least":-9223372036854775808,)"
          R"("most":18446744073709551615,"real":0.1,"single":2.5,"maybe":0,"colour":"blue",)"
          R"("rights":"write","where":{"x":1,"y":-2},)"
          R"("box":{"corner":{"x":0,"y":0},"sides":[0,1.5],"colour":"red"},)"
          "\"word\":\"tea \\\"and\\\" \\\\ \xE2\x82\xAC\","
          R"("raw":"AQL/","numbers":[1,-1],"words":["a",""],"colours":["red",9],)"
          R"("points":[{"x":3,"y":4}],"leaves":[{"word":"leaf"}],)"
          R"("any_type":"Point","any":{"x":5,"y":6},"all_type":["Leaf","Word","Point"],)"
          R"("all":[{},"word",{"x":7,"y":8}],"last":"!"})");
}

TEST_CASE(
    "payload_json: a number that is absent has its default, what else is absent is left out") {
    EverythingT e;
    e.last = "!";
    CHECK(read(shapes(), e) ==
          R"({"yes":false,"tiny":0,"small":7,"least":0,"most":0,"real":0,"single":0,)"
          R"("colour":"green","rights":0,"last":"!"})");
}

TEST_CASE("payload_json: infinite numbers have no JSON and are null") {
    EverythingT e = everything();
    e.real = std::numeric_limits<double>::infinity();
    e.single = std::numeric_limits<float>::quiet_NaN();
    CHECK(read(shapes(), e).find(R"("real":null,"single":null)") != std::string::npos);
}

TEST_CASE("payload_json: passes over fields that a newer writer added") {
    const auto newer = pack(test::Rejected{.order_id = "o-1", .reason = "too heavy"});
    CHECK(read(shapes(), "test.shapes.Leaf", newer) == R"({"word":"o-1"})");
}

TEST_CASE("payload_json: says which required field is absent") {
    flatbuffers::FlatBufferBuilder builder;
    builder.Finish(flatbuffers::Offset<void>(builder.EndTable(builder.StartTable())));
    const auto* begin = reinterpret_cast<const std::byte*>(builder.GetBufferPointer());
    CHECK(read(shapes(), "test.shapes.Rejected", {begin, builder.GetSize()}) ==
          "refused: order_id is required and absent");
    CHECK(read(shapes(), "test.shapes.Nobody", {begin, builder.GetSize()}) ==
          "refused: its schema has no table test.shapes.Nobody");
}

TEST_CASE("payload_json: hostile text is harmless on a terminal") {
    const std::string id = std::string("\x1b[31m\0\n", 7) +
                           "\xC2\x9B\xFF\xC0\x80\xED\xA0\x80"
                           "ok";
    CHECK(read(shapes(), test::Rejected{.order_id = id}) ==
          "{\"order_id\":\"\\u001b[31m\\u0000\\n\\u009b"
          "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"
          "ok\"}");
}

TEST_CASE("payload_json: every truncation is refused") {
    CHECK(judge<test::Order>(shapes(), truncations(pack(kOrder))) == 0);
    CHECK(judge<EverythingT>(shapes(), truncations(pack(everything()))) == 0);
}

TEST_CASE("payload_json: every turned byte is read or refused, and read where the verifier reads") {
    judge<test::Order>(shapes(), flips(pack(kOrder)));
    judge<EverythingT>(shapes(), flips(pack(everything())));
}

TEST_CASE("payload_json: shared subtables cost a bounded number of visits") {
    flatbuffers::FlatBufferBuilder builder;
    auto node = test::shapes::CreateNode(builder);
    for (int depth = 0; depth < 7; ++depth)
        node = test::shapes::CreateNode(builder, test::shapes::CreatePair(builder, node, node));
    const auto refused = [&](const char* why) {
        builder.Finish(node);
        const auto* begin = reinterpret_cast<const std::byte*>(builder.GetBufferPointer());
        CHECK(read(shapes(), "test.shapes.Node", {begin, builder.GetSize()}) == why);
    };
    SUBCASE("wide") {
        const auto pair = test::shapes::CreatePair(builder, node, node);
        builder.Finish(pair);
        const auto* begin = reinterpret_cast<const std::byte*>(builder.GetBufferPointer());
        const Bytes bytes{begin, builder.GetSize()};
        CHECK(read(shapes(), "test.shapes.Pair", bytes).starts_with("{\"left\":"));
    }
    SUBCASE("deep") {
        for (int depth = 0; depth < 7; ++depth)
            node = test::shapes::CreateNode(builder, test::shapes::CreatePair(builder, node));
        refused("refused: its tables stand too deep in each other");
    }
}

TEST_CASE("payload_json: more tables than a sane event has are refused") {
    flatbuffers::FlatBufferBuilder builder;
    const auto leaf = test::shapes::CreateLeaf(builder);
    const std::vector<flatbuffers::Offset<test::shapes::Leaf>> leaves(2'000, leaf);
    const auto all = builder.CreateVector(leaves);
    const auto last = builder.CreateString("!");
    test::shapes::EverythingBuilder table(builder);
    table.add_leaves(all);
    table.add_last(last);
    builder.Finish(table.Finish());
    const auto* begin = reinterpret_cast<const std::byte*>(builder.GetBufferPointer());
    CHECK(read(shapes(), "test.shapes.Everything", {begin, builder.GetSize()}) ==
          "refused: it has too many tables");
}

TEST_CASE("payload_json: a string that is shared thousandfold is not written thousandfold") {
    flatbuffers::FlatBufferBuilder builder;
    const auto word = builder.CreateString(std::string(100'000, 'x'));
    const auto words =
        builder.CreateVector(std::vector<flatbuffers::Offset<flatbuffers::String>>(30'000, word));
    test::shapes::EverythingBuilder table(builder);
    table.add_words(words);
    table.add_last(word);
    builder.Finish(table.Finish());
    const auto* begin = reinterpret_cast<const std::byte*>(builder.GetBufferPointer());
    CHECK(read(shapes(), "test.shapes.Everything", {begin, builder.GetSize()}) ==
          "refused: it would be more than 2097152 bytes of JSON");
}

TEST_CASE("payload_json: a schema is refused unless it is sound") {
    const auto bytes = std::as_bytes(std::span(test::shapes::kShapesSchema));
    CHECK(shapes().knows("test.shapes.Leaf"));
    CHECK_FALSE(shapes().knows("test.shapes.Point"));  // no table
    CHECK(shapes().tables().size() == 7);
    CHECK_FALSE(PayloadSchema::read({}));
    CHECK_FALSE(PayloadSchema::read(pack(kOrder)));
    CHECK_FALSE(PayloadSchema::read(bytes.first(bytes.size() / 2)));
}

TEST_CASE("payload_json: a sound schema that lies leads nowhere") {
    const auto payload = pack(everything());
    const std::string_view bfbs = test::shapes::kShapesSchema;
    const auto bytes = std::as_bytes(std::span(bfbs));
    const auto lies = flips({bytes.begin(), bytes.end()});
    for (std::size_t nth = 0; nth < lies.size(); nth += kSparse)
        if (const auto schema = PayloadSchema::read(lies[nth]))
            for (const std::string& table : schema->tables()) schema->json(table, payload);
}
