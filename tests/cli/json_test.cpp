// What services and buckets say: JSON of whoever may write there.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "saga/cli/buckets.hpp"
#include "saga/cli/dev_status.hpp"
#include "saga/cli/landscape.hpp"
#include "saga/cli/participants.hpp"
#include "saga/core/limits.hpp"
#include "tests/integration/broker.hpp"

using namespace saga::cli;
using namespace std::chrono_literals;

namespace {

/// A value in a value in a value, deeper than any stack.
std::string deep(std::string_view opened) {
    std::string text(opened);
    for (int i = 0; i < 1'000'000; ++i) text += '[';
    return text;
}
std::string nested(std::size_t depth) {
    return std::string(depth, '[') + "\"[[\\\"[\"" + std::string(depth, ']');
}

/// A service that answers `dead` with the same full page, whatever it is asked.
std::size_t letters_of_liar(const nlohmann::json& row) {
    const saga::testing::Broker broker(saga::testing::servers().front());
    saga::bus::Address address;
    address.url = broker.url();
    const nlohmann::json rows(saga::core::kMaxListed, row);
    const std::string page = rows.dump();
    saga::bus::NatsClient asking(address, "asking"), liar(address, "liar");
    liar.serve("saga-ctl.liar.dead", 1, [&](const auto& questions) {
        const auto bytes = std::as_bytes(std::span(page));
        return std::vector<std::optional<std::vector<std::byte>>>(
            questions.size(), std::vector<std::byte>(bytes.begin(), bytes.end()));
    });
    liar.request_text("saga-ctl.liar.dead", "", 5s);  // from here on the broker knows of it
    const auto letters = Participants(asking, 5s).letters("liar", true);
    REQUIRE(letters);
    return letters->size();
}

}  // namespace

TEST_CASE("json: pages that lead nowhere come to an end") {
    CHECK(letters_of_liar(7) == 0);
    CHECK(letters_of_liar({{"id", "17"}}) == 2 * saga::core::kMaxListed);
}

TEST_CASE("json: depth is counted outside of text, and bounded") {
    CHECK(json_depth(nested(3)) == 3);
    CHECK(json_depth("{\"a\": [{}], \"b\": \"]\"}") == 3);
    CHECK(json_depth("]]][") == 1);
    CHECK_FALSE(read_json(nested(kDeepestJson)).is_discarded());
    CHECK(read_json(nested(kDeepestJson + 1)).is_discarded());
}

TEST_CASE("json: what nests deeper than any stack is no answer, no contract, no status") {
    const std::string close(1'000'000, ']');
    const std::string answer = deep("{\"outbox\": ") + close + "}";
    CHECK_THROWS_AS(read_answer("order", "state", answer), Stop);
    Landscape landscape;
    landscape.add("order", deep("{\"format\": 1, \"steps\": ") + close + "}");
    CHECK(landscape.unreadable().contains("order"));
    CHECK_FALSE(read_dev_status(deep("{\"programs\": ") + close + "}"));
}
