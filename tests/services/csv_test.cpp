#include "shared/csv.hpp"

#include <doctest/doctest.h>

#include <array>

using Fields = std::vector<std::string>;

namespace {

constexpr std::array<std::string_view, 2> kColumns{"sku", "name"};

std::size_t line_of(std::string_view text) {
    try {
        csv::read(text, kColumns);
    } catch (const csv::Malformed& malformed) {
        return malformed.line;
    }
    return 0;
}

}  // namespace

TEST_CASE("csv: quotes, commas and line breaks inside a field") {
    const auto rows = csv::parse("a,\"b,c\",\"say \"\"hi\"\"\"\n\"two\r\nlines\",,\"\"\nlast,x,y");
    REQUIRE(rows.size() == 3);
    CHECK(rows[0].fields == Fields{"a", "b,c", "say \"hi\""});
    CHECK(rows[1].fields == Fields{"two\r\nlines", "", ""});
    CHECK(rows[2].fields == Fields{"last", "x", "y"});
    CHECK(rows[0].line == 1);
    CHECK(rows[1].line == 2);
    CHECK(rows[2].line == 4);
}
TEST_CASE("csv: CRLF, a byte order mark, empty lines, other letters") {
    const auto rows = csv::parse(
        "\xEF\xBB\xBF"
        "é,日本\r\n\r\n\n🙂,\r\n");
    REQUIRE(rows.size() == 2);
    CHECK(rows[0].fields == Fields{"é", "日本"});
    CHECK(rows[1].fields == Fields{"🙂", ""});
    CHECK(rows[1].line == 4);
    CHECK(csv::parse("").empty());
    CHECK(csv::parse("\xEF\xBB\xBF\r\n").empty());
}
TEST_CASE("csv: what is malformed, and where") {
    CHECK(line_of("sku,name\na,b\n\"c,d\ne,f\n") == 3);
    CHECK(line_of("sku,name\na,b\"c\n") == 2);
    CHECK(line_of("sku,name\n\"a\"b,c\n") == 2);
    CHECK(line_of("sku,name\na,b\nc\rd,e\n") == 3);
    CHECK(line_of("sku,name\na\n") == 2);
    CHECK(line_of("sku,name\na,b,c\n") == 2);
    CHECK(line_of("") == 1);
    CHECK(line_of("sku,name\n") == 1);
    CHECK(line_of("sku\na\n") == 1);
    CHECK(line_of("sku,name,sku\na,b,c\n") == 1);
    CHECK(line_of("sku,name\na," + std::string(csv::kMostFieldBytes + 1, 'x')) == 2);
    CHECK(line_of(std::string(csv::kMostColumns, ',')) == 1);
}
TEST_CASE("csv: refuses what is not UTF-8") {
    using namespace std::string_literals;
    for (const std::string& bad :
         {"\xE9"s, "\xC0\xAF"s, "\xE0\x80\xAF"s, "\xED\xA0\x80"s, "\xF4\x90\x80\x80"s, "\xF8"s,
          "\xE2\x82"s, "\xF0\x9F\x99"s, "\x80"s, "a\0b"s}) {
        CHECK(line_of("sku,name\na,b\n" + bad + ",c\n") == 3);
        CHECK(line_of("sku,name\na,b\n\"" + bad + "\",c\n") == 3);
    }
    CHECK(line_of("\xFF\xFEs\0k\0u\0"s) == 1);
}
TEST_CASE("csv: columns are found by their names") {
    const auto rows = csv::read("price,name,sku\n7,Tea,t\n8,Jam,j\n", kColumns);
    REQUIRE(rows.size() == 2);
    CHECK(rows[0].fields == Fields{"t", "Tea"});
    CHECK(rows[1].fields == Fields{"j", "Jam"});
}
