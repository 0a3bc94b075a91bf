#include "saga/flow/evolution.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <saga/error.hpp>

namespace files = std::filesystem;
using namespace saga;

namespace {

std::string content(const files::path& path) {
    std::ifstream file(path, std::ios::binary);
    REQUIRE(file.good());
    return {std::istreambuf_iterator<char>(file), {}};
}

constexpr auto kReleased = R"(
namespace shop.till;
file_identifier "TILL";
attribute "priority";
enum Coin : ubyte { cent, dime, euro }
enum Mark : ubyte (bit_flags) { seen, kept }
struct Place { row:int32; column:int32; }
table Note { text:string; }
table Stamp { ink:int32; }
table Card { number:string; }
union Means { Note, Card }
table Receipt {
  id:string (required);
  cents:int64;
  units:int32 = 1;
  coin:Coin;
  place:Place;
  notes:[Note];
  sealed:[ubyte] (force_align: 8);
  means:Means;
  gone:int32 (deprecated);
  last:string;
}
root_type Receipt;
)";

/// The released text with one thing put for another.
std::string edited(const std::string& what, const std::string& by) {
    std::string text = kReleased;
    const auto at = text.find(what);
    REQUIRE(at != text.npos);
    text.replace(at, what.size(), by);
    return text;
}

std::string text_of(const std::vector<flow::Break>& breaks) {
    std::string text;
    for (const flow::Break& each : breaks) {
        CHECK(!each.mend.empty());
        text += each.what + "\n";
    }
    return text;
}

std::string broken(const std::string& what, const std::string& by) {
    return text_of(flow::breaks({kReleased, ""}, {edited(what, by), ""}));
}

struct Edit {
    const char *what, *by, *why;
};

}  // namespace

TEST_CASE("schemas: today's take the place of those that were released") {
    std::size_t compared = 0;
    for (const auto& entry : files::directory_iterator(SCHEMAS_RELEASED)) {
        const files::path today = files::path(SCHEMAS_TODAY) / entry.path().filename();
        CAPTURE(today.string());
        CHECK(text_of(flow::breaks({content(entry.path()), entry.path()},
                                   {content(today), today})) == "");
        ++compared;
    }
    CHECK(compared >= 7);
}

TEST_CASE("schemas: what flatc --conform does not look at is refused") {
    for (const auto& [what, by, why] : {
             Edit{"  last:string;\n", "", "shop.till.Receipt.last is gone"},
             Edit{"cents:int64", "amount:int64", "shop.till.Receipt.cents: has another name"},
             Edit{"id:string (required)", "id:string", "shop.till.Receipt.id: is required"},
             Edit{"last:string;", "last:string (required);", "shop.till.Receipt.last: is required"},
             Edit{"last:string;", "last:string; more:string (required);",
                  "shop.till.Receipt.more is new and required"},
             Edit{"dime, euro", "dime", "shop.till.Coin.euro is gone"},
             Edit{"cent, dime", "cent, tens", "shop.till.Coin.dime is gone"},
             Edit{"Note, Card }", "Note }", "shop.till.Means.Card is gone"},
             Edit{"column:int32;", "column:int32; level:int32;",
                  "the struct shop.till.Place has grown"},
             Edit{"row:int32; column:int32;", "column:int32; row:int32;",
                  "shop.till.Place.row: has another name"},
             Edit{"\"TILL\"", "\"BANK\"", "the file identifier is another one"},
             Edit{"root_type Receipt", "root_type Note", "the root is another table"},
             Edit{"table Stamp {", "struct Stamp {", "shop.till.Stamp is a table in one"},
             Edit{"namespace shop.till", "namespace shop.desk", "shop.till.Receipt is gone"},
             Edit{"(force_align: 8)", "(force_align: 4)",
                  "shop.till.Receipt.sealed: has another attribute"},
             Edit{" (bit_flags)", "", "shop.till.Mark has another attribute"},
             Edit{"gone:int32 (deprecated)", "gone:int32", "was deprecated, and is used again"},
             Edit{"id:string (required)", "id:string (deprecated)",
                  "shop.till.Receipt.id: was required, and is gone"},
         }) {
        const std::string edit(by);
        CAPTURE(edit);
        const std::string found = broken(what, by);
        CHECK_MESSAGE(found.find(why) != found.npos, found);
    }
}

TEST_CASE("schemas: what flatc --conform sees is refused twice") {
    for (const auto& [what, by, why] : {
             Edit{"units:int32 = 1", "units:int32 = 2", "has another default"},
             Edit{"cents:int64", "cents:uint64", "has another type"},
             Edit{"id:string", "first:int32; id:string", "has another type"},
             Edit{"  cents:int64;\n", "", "shop.till.Receipt.cents"},
             Edit{"cent, dime, euro", "cent, none, dime, euro", "Coin.dime is gone"},
             Edit{"Coin : ubyte", "Coin : short", "shop.till.Coin has another type"},
             Edit{"Note, Card }", "Card, Note }", "Means.Note is gone"},
             Edit{"notes:[Note]", "notes:[Card]", "has another type"},
         }) {
        const std::string edit(by);
        CAPTURE(edit);
        const std::string found = broken(what, by);
        CHECK_MESSAGE(found.find(why) != found.npos, found);
        CHECK_MESSAGE(found.find("flatc: ") != found.npos, found);
    }
}

TEST_CASE("schemas: what grows at its end is taken") {
    CHECK(broken("last:string;", "last:string; more:int64; most:string;") == "");
    CHECK(broken("dime, euro", "dime, euro, crown") == "");
    CHECK(broken("Note, Card }", "Note, Card, Receipt }") == "");
    CHECK(broken("table Note", "table Voucher { id:string (required); } table Note") == "");
    CHECK(broken("table Note", "/// What was said.\ntable Note") == "");
    CHECK(broken("last:string;", "last:string (deprecated);") == "");
    CHECK(broken("cents:int64;", "cents:int64 (priority: 1);") == "");
}

TEST_CASE("schemas: a text that is none is no reason to go on") {
    CHECK_THROWS_AS(flow::breaks({kReleased, ""}, {"table {", ""}), Error);
}
