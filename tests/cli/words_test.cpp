// How the tool says times, sizes and columns, and what may have been meant by a word.
#include "saga/cli/words.hpp"

#include <doctest/doctest.h>

#include <CLI/CLI.hpp>

#include "saga/cli/dlq_action.hpp"
#include "saga/cli/help.hpp"
#include "saga/cli/log_lines.hpp"

using namespace saga::cli;
using namespace std::chrono_literals;

TEST_CASE("words: durations are read as people write them") {
    CHECK(parse_duration("500ms") == 500ms);
    CHECK(parse_duration("5s") == 5s);
    CHECK(parse_duration("1h30m") == 90min);
    CHECK(parse_duration("7d") == 7 * 24h);
    CHECK(parse_duration("1.5s") == 1500ms);
    CHECK(parse_duration("10") == 10s);
    CHECK(parse_duration("36500d") == 36500 * 24h);
    for (const char* none : {"", "s", "-1s", "5x", "1h 30m", "nan", "inf", "1e99s", "5sm", "36501d",
                             "20000d20000d", "1000000000d1000000000d"})
        CHECK_MESSAGE(!parse_duration(none), none);
}

TEST_CASE("words: durations are said briefly") {
    CHECK(brief(850us) == "850 us");
    CHECK(brief(12ms) == "12 ms");
    CHECK(brief(1249ms) == "1.24 s");
    CHECK(brief(59'900ms) == "59 s");
    CHECK(brief(200s) == "3 min 20 s");
    CHECK(brief(2h) == "2 h");
    CHECK(brief(76h) == "3 d 4 h");
    CHECK(brief(-5ms) == "-5 ms");
}

TEST_CASE("words: sizes and counts") {
    CHECK(size_text(0) == "0 B");
    CHECK(size_text(999) == "999 B");
    CHECK(size_text(3'100'000) == "3.1 MB");
    CHECK(count_text(1, "event") == "1 event");
    CHECK(count_text(0, "event") == "0 events");
}

TEST_CASE("words: nothing that a terminal would obey comes through") {
    CHECK(harmless("plain, ünïcode → ok") == "plain, ünïcode → ok");
    CHECK(harmless("\x1b[31mred") == "?[31mred");
    CHECK(harmless("a\nb\tc") == "a b c");
    CHECK(harmless("\xff\xfe") == "??");
    CHECK(harmless("\xc2\x9b"
                   "31m") == "?31m");
}

TEST_CASE("words: widths count characters, and what is too long is cut off") {
    CHECK(width("→ Aé") == 4);
    CHECK(shortened("abcdef", 6) == "abcdef");
    CHECK(shortened("abcdef", 4) == "abc…");
    CHECK(width(shortened("→→→→→→", 3)) == 3);
    CHECK(shortened("", 0).empty());
}

TEST_CASE("words: a word that no command has is likely a mistyped one") {
    CLI::App app;
    for (const char* name : {"trace", "doctor", "watch", "ls", "outbox"}) app.add_subcommand(name);
    CHECK(similar_command(app, "trce") == "trace");
    CHECK(similar_command(app, "docter") == "doctor");
    CHECK(similar_command(app, "wathc") == "watch");
    CHECK(similar_command(app, "o-1001-with-a-long-name").empty());
}

TEST_CASE("words: the id of a dead letter") {
    CHECK(parse_letter_id("payment/17").service == "payment");
    CHECK(parse_letter_id("payment/aside-3").id == "aside-3");
    for (const char* none : {"", "payment", "payment/", "/17", "payment/x", "pay.ment/1",
                             "payment/aside-", "payment/-1", "payment/99999999999999999999"})
        CHECK_THROWS_AS(parse_letter_id(none), Stop);
}

TEST_CASE("words: a dead letter is its service's, or a shard's of it, whoever else it names") {
    const auto name = [](const char* asked, const char* said) {
        return letter_of(asked, {{"id", "17"}, {"service", said}}).name();
    };
    CHECK(letter_of("payment", {{"id", "17"}}).name() == "payment/17");
    CHECK(name("payment", "payment") == "payment/17");
    CHECK(name("payment", "payment-1-of-2") == "payment-1-of-2/17");
    CHECK(name("payment-1-of-2", "payment-1-of-2") == "payment-1-of-2/17");
    CHECK(name("payment", "order") == "payment/17");
    CHECK(name("payment", "") == "payment/17");
    CHECK(letter_of("payment-1-of-2", {{"id", "17"}}).service == "payment");
}

TEST_CASE("words: lines come whole, whatever the pieces were") {
    LineBuffer buffer;
    std::vector<std::string> lines;
    const auto take = [&](std::string_view line) { lines.emplace_back(line); };
    for (const char* piece : {"a", "b\r\nc", "\n\n", "d"}) buffer.add(piece, take);
    CHECK(lines == std::vector<std::string>{"ab", "c", ""});
    buffer.flush(take);
    buffer.flush(take);
    CHECK(lines.back() == "d");
    CHECK(lines.size() == 4);
    buffer.add(std::string(20'000, 'x') + "\n", take);
    CHECK(lines.size() == 6);
}
