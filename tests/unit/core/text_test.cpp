#include "saga/core/text.hpp"

#include <doctest/doctest.h>

#include "saga/core/limits.hpp"
#include "tests/unit/property.hpp"

using namespace saga::core;
using namespace std::string_literals;
using saga::test::counterexample;

namespace {

const std::string kLongest(64, 'a'), kTooLong(65, 'a');

/// As the RFC writes it.
std::string utf8(std::uint32_t point) {
    const auto byte = [](std::uint32_t value) { return static_cast<char>(value); };
    const auto rest = [&](int shift) { return byte(0x80 | (point >> shift & 0x3F)); };
    if (point < 0x80) return {byte(point)};
    if (point < 0x800) return {byte(0xC0 | point >> 6), rest(0)};
    if (point < 0x10000) return {byte(0xE0 | point >> 12), rest(6), rest(0)};
    return {byte(0xF0 | point >> 18), rest(12), rest(6), rest(0)};
}

bool surrogate(std::uint32_t point) {
    return point >= 0xD800 && point <= 0xDFFF;
}

}  // namespace

TEST_CASE("text: a saga's id is 1 to 64 of A-Z a-z 0-9 _ -") {
    for (const std::string& id : {"o1"s, "-"s, "_"s, "0"s, "AZaz09_-"s, kLongest}) {
        CAPTURE(id);
        CHECK(is_saga_id(id));
    }
    for (const std::string& id : {""s, kTooLong, "a b"s, "a.b"s, "a*"s, ">"s, "a\n"s, "a\0"s, "\0"s,
                                  "é"s, "a/b"s, "a@"s, "["s, "`"s, "{"s}) {
        CAPTURE(id);
        CHECK_FALSE(is_saga_id(id));
    }
}

TEST_CASE("text: a name is [a-z][a-z0-9_]*, at most 64 characters") {
    for (const std::string& name : {"a"s, "take"s, "give_up"s, "x9_"s, kLongest})
        CHECK(is_name(name));
    for (const std::string& name :
         {""s, kTooLong, "Take"s, "_a"s, "9a"s, "a-b"s, "a.b"s, "a b"s, "a\0"s, "ä"s, "aB"s}) {
        CAPTURE(name);
        CHECK_FALSE(is_name(name));
    }
}

TEST_CASE("text: a type is words with dots between, each at most 64 characters") {
    const std::string longest = kLongest + "." + kLongest + "." + kLongest;
    for (const std::string& type : {"a.B"s, "shop.payment.PaymentTaken"s, "A_1.b_.C9"s})
        CHECK(is_type(type));
    CHECK(is_type("shop." + kLongest));
    CHECK_FALSE(is_type("shop." + kTooLong));
    CHECK_FALSE(is_type(kTooLong + ".payment.PaymentTaken"));
    CHECK_FALSE(is_type(longest + "." + kLongest));
    for (const std::string& type : {""s, "."s, "a"s, "a."s, ".a"s, "a..b"s, "a.1b"s, "a._b"s,
                                    "a.b-c"s, "a.b c"s, "a.b\0"s, "a.ü"s}) {
        CAPTURE(type);
        CHECK_FALSE(is_type(type));
    }
}

TEST_CASE("text: a token is printable ASCII without a space") {
    CHECK(is_token("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
    CHECK(is_token("!~"));
    for (const std::string& token : {""s, " "s, "a b"s, "a\t"s, "a\r\n"s, "\x7f"s, "\0"s, "é"s})
        CHECK_FALSE(is_token(token));
}

TEST_CASE("text: UTF-8 is what RFC 3629 says, to the byte") {
    struct Bytes {
        const char* what;
        std::string text;
        bool good;
    };
    const Bytes all[]{
        {"nothing", "", true},
        {"a zero", "\0"s, true},
        {"the last of one byte", "\x7F", true},
        {"the first of two bytes", "\xC2\x80", true},
        {"the last of two bytes", "\xDF\xBF", true},
        {"the first of three bytes", "\xE0\xA0\x80", true},
        {"the last before the surrogates", "\xED\x9F\xBF", true},
        {"the first after the surrogates", "\xEE\x80\x80", true},
        {"the last of three bytes", "\xEF\xBF\xBF", true},
        {"the first of four bytes", "\xF0\x90\x80\x80", true},
        {"the last character", "\xF4\x8F\xBF\xBF", true},
        {"a continuation alone", "\x80", false},
        {"another continuation alone", "a\xBF", false},
        {"two bytes, overlong", "\xC0\x80", false},
        {"two bytes, overlong to the end", "\xC1\xBF", false},
        {"three bytes, overlong", "\xE0\x9F\xBF", false},
        {"four bytes, overlong", "\xF0\x8F\xBF\xBF", false},
        {"the first surrogate", "\xED\xA0\x80", false},
        {"the last surrogate", "\xED\xBF\xBF", false},
        {"beyond the last character", "\xF4\x90\x80\x80", false},
        {"a lead that means nothing", "\xF5\x80\x80\x80", false},
        {"five bytes", "\xF8\x88\x80\x80\x80", false},
        {"FE", "\xFE", false},
        {"FF", "\xFF", false},
        {"two bytes, one missing", "\xC3", false},
        {"three bytes, one missing", "\xE2\x82", false},
        {"four bytes, one missing", "\xF0\x9F\x98", false},
        {"three bytes, the second is none", "\xE2(\xA1", false},
        {"four bytes, the last is none", "\xF0\x9F\x98(", false},
    };
    for (const Bytes& bytes : all) {
        CAPTURE(bytes.what);
        CHECK(is_utf8(bytes.text) == bytes.good);
        CHECK(is_utf8("a" + bytes.text) == bytes.good);
    }
}

TEST_CASE("text: every character is UTF-8, every surrogate is not") {
    int wrong = 0;
    for (std::uint32_t point = 0; point < 0x110000; ++point)
        wrong += is_utf8(utf8(point)) == surrogate(point) ? 1 : 0;
    CHECK(wrong == 0);
}

TEST_CASE("text: is cut between characters") {
    CHECK(clipped("abc", 5) == "abc");
    CHECK(clipped("abc", 3) == "abc");
    CHECK(clipped("abc", 2) == "ab");
    CHECK(clipped("abc", 0) == "");
    CHECK(clipped("aé", 2) == "a");
    CHECK(clipped("a😀b", 4) == "a");
    CHECK(clipped("a😀b", 5) == "a😀");
    const std::string against =
        counterexample([](const std::vector<std::uint32_t>& points, std::uint8_t most) {
            std::string text;
            for (const std::uint32_t point : points)
                if (!surrogate(point % 0x110000)) text += utf8(point % 0x110000);
            const std::string part = clipped(text, most);
            RC_ASSERT(is_utf8(part));
            RC_ASSERT(part.size() <= most && text.starts_with(part));
            RC_ASSERT(part == text || part.size() + 4 > most);
        });
    CHECK(against == "");
}

TEST_CASE("text: what is no UTF-8 is cut too, and stays within the bound") {
    const std::string against = counterexample([](const std::string& text, std::uint8_t most) {
        RC_ASSERT(clipped(text, most).size() <= most);
    });
    CHECK(against == "");
    CHECK(clipped("\x80\x80\x80", 2) == "");
}

TEST_CASE("text: a header's value is percent-encoded as CloudEvents wants it") {
    CHECK(percent_encoded("") == "");
    CHECK(percent_encoded("shop.payment.PaymentTaken") == "shop.payment.PaymentTaken");
    CHECK(percent_encoded("a b\"c%d") == "a%20b%22c%25d");
    CHECK(percent_encoded("Euro \xE2\x82\xAC \xF0\x9F\x98\x80") ==
          "Euro%20%E2%82%AC%20%F0%9F%98%80");  // the example of the specification
    CHECK(percent_encoded("\r\n\t\x7f"s + "\0"s) == "%0D%0A%09%7F%00");
    const std::string against = counterexample([](const std::string& text) {
        const std::string encoded = percent_encoded(text);
        std::string decoded;
        for (std::size_t i = 0; i < encoded.size(); ++i) {
            RC_ASSERT(encoded[i] > ' ' && encoded[i] < '\x7f' && encoded[i] != '"');
            const bool escape = encoded[i] == '%';
            decoded += escape ? static_cast<char>(std::stoi(encoded.substr(i + 1, 2), nullptr, 16))
                              : encoded[i];
            if (escape) i += 2;
        }
        RC_ASSERT(decoded == text);
    });
    CHECK(against == "");
}
