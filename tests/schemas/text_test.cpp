// Schemas of single events, made of binary ones.
#include <doctest/doctest.h>
#include <flatbuffers/reflection.h>

#include <saga/error.hpp>
#include <vector>

#include "saga/core/payload_json.hpp"
#include "saga/flow/evolution.hpp"
#include "saga/flow/schema_text.hpp"
#include "shop_events.hpp"

using namespace saga;

namespace {

constexpr auto kTill = R"(
namespace shop.coins;
enum Coin : ubyte { cent, dime, euro = 7 }
struct Point { row:int32; column:int16; }
namespace shop.till;
file_identifier "TILL";
attribute "priority";
enum Mark : ushort (bit_flags) { seen, kept = 9 }
struct Place (force_align: 16) { at:shop.coins.Point; weights:[float:3]; }
table Note { text:string (required); }
table Elsewhere { ink:int32; }
table Card { number:string (key); under:Card; }
union Means { Note, plastic:Card }
table Receipt {
  id:string (required);
  cents:int64 = -5;
  units:uint64 = 9223372036854775807;
  rate:double = 0.25;
  perhaps:int32 = null;
  flag:bool = true;
  coin:shop.coins.Coin = dime;
  coins:[shop.coins.Coin];
  mark:Mark;
  place:Place;
  notes:[Note];
  sealed:[ubyte];
    means:Means;
  gone:int32 (deprecated);
  last:string (priority: 1);
}
root_type Receipt;
)";

/// What breaks between the two, but for what only concerns the file as a whole.
std::string broken(const std::string& was, const std::string& is) {
    std::string text;
    for (const flow::Break& each : flow::breaks({was, ""}, {is, ""}))
        if (each.what.find("the root is") == std::string::npos &&
            each.what.find("the file identifier") == std::string::npos)
            text += each.what + "\n";
    return text;
}

}  // namespace

TEST_CASE("schema text: a table and what it reaches mean the same by themselves") {
    const std::vector<std::byte> whole = flow::binary_schema(kTill);
    const std::string text = flow::schema_text(whole, "shop.till.Receipt");
    CAPTURE(text);
    CHECK(broken(text, kTill) == "");
    CHECK(text.find("Elsewhere") == std::string::npos);
    CHECK(text.find("priority") == std::string::npos);
    CHECK(text.ends_with("root_type shop.till.Receipt;\nfile_identifier \"TILL\";\n"));
    const std::vector<std::byte> alone = flow::binary_schema(text);
    CHECK(flow::schema_text(alone, "shop.till.Receipt") == text);
    CHECK(core::PayloadSchema::read(alone).value().knows("shop.till.Receipt"));
    const std::string edited =
        std::string(kTill).replace(std::string(kTill).find("= -5"), 4, "= 5");
    CHECK(broken(text, edited) != "");
}

TEST_CASE("schema text: comments are kept where they are asked for") {
    const std::string plain =
        "namespace till;\n"
        "enum Coin : ubyte {\n  cent = 0,\n  euro = 7,\n}\n\n"
        "namespace till;\n"
        "table Note {\n  text:string (required);\n  coin:till.Coin;\n}\n\n"
        "root_type till.Note;\n";
    const std::string told =
        "namespace till;\n"
        "/// What is paid with.\n"
        "enum Coin : ubyte {\n  cent = 0,\n  /// worth more\n  euro = 7,\n}\n\n"
        "namespace till;\n"
        "/// A note.\n/// On paper.\n"
        "table Note {\n  /// in UTF-8\n  text:string (required);\n  coin:till.Coin;\n}\n\n"
        "root_type till.Note;\n";
    for (const std::string& text : {plain, told})
        CHECK(flow::schema_text(flow::binary_schema(text), "till.Note") == plain);
    CHECK(flow::schema_text(flow::binary_schema(told), "till.Note", flow::Comments::kept) == told);
}

TEST_CASE("schema text: it does not change with what stands beside the table") {
    const std::string more = std::string(kTill) + "table Another { id:string; }";
    CHECK(flow::schema_text(flow::binary_schema(more), "shop.till.Note") ==
          flow::schema_text(flow::binary_schema(kTill), "shop.till.Note"));
    CHECK(flow::schema_text(flow::binary_schema(kTill), "shop.till.Place").empty());
    CHECK(flow::schema_text(flow::binary_schema(kTill), "shop.till.None").empty());
    CHECK_THROWS_AS(flow::binary_schema("table {"), Error);
}

TEST_CASE("schema text: a schema that names what is not in it is refused") {
    std::vector<std::byte> bytes = flow::binary_schema("table A { b:B; } table B { n:int; }");
    const auto* schema = reflection::GetSchema(bytes.data());
    const auto* field = schema->objects()->LookupByKey("A")->fields()->LookupByKey("b");
    const auto* type = reinterpret_cast<const flatbuffers::Table*>(field->type());
    const auto* index = type->GetAddressOf(reflection::Type::VT_INDEX);
    const auto* begin = reinterpret_cast<const std::uint8_t*>(bytes.data());
    const auto at = static_cast<std::size_t>(index - begin);
    bytes.at(at) = std::byte{77};
    CHECK_THROWS_AS(flow::schema_text(bytes, "A"), Error);
}

TEST_CASE("schema text: each table of the shop is told") {
    std::size_t tables = 0;
    for (const std::string_view bfbs :
         {shop::order::kOrderSchema, shop::inventory::kInventorySchema,
          shop::payment::kPaymentSchema, shop::shipping::kShippingSchema,
          shop::bank::kBankSchema}) {
        const auto schema = core::PayloadSchema::read(std::as_bytes(std::span(bfbs))).value();
        for (const std::string& table : schema.tables()) {
            const std::string text = flow::schema_text(schema.bytes(), table);
            CAPTURE(text);
            CHECK(flow::schema_text(flow::binary_schema(text), table) == text);
            ++tables;
        }
    }
    CHECK(tables > 20);
}
