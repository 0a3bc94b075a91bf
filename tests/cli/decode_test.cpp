// saga decode: whatever comes on stdin, one line of JSON and exit code 0.
#include <doctest/doctest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

#include "tests/cli/town.hpp"

using namespace saga::testing;

namespace {

/// Nobody listens there: decode does without a broker.
constexpr auto kNobody = "nats://127.0.0.1:1";

Ran decode(const std::string& input, std::vector<std::string> more = {}) {
    const TempFolder home;
    more.insert(more.begin(), "decode");
    return run_to_end({.path = saga_program(),
                       .args = std::move(more),
                       .env = plain_env(home.path(), kNobody),
                       .input = input});
}

}  // namespace

TEST_CASE("decode: what is no event is one clear error") {
    std::mt19937 random(7);
    std::vector<std::string> inputs{"", "{}", std::string(1, '\0'), std::string(400'000, 'x')};
    for (int i = 0; i < 20; ++i) {
        std::string bytes(random() % 2'000, '\0');
        for (char& each : bytes) each = static_cast<char>(random());
        inputs.push_back(std::move(bytes));
    }
    for (const std::string& input : inputs) {
        const Ran ran = decode(input);
        CHECK(ran.code == 0);
        CHECK(ran.err.empty());
        CHECK(lines(ran.out) == 1);
        const auto json = nlohmann::json::parse(ran.out, nullptr, false);
        REQUIRE(json.is_object());
        CHECK(json["error"].is_string());
    }
}

TEST_CASE("decode: a schema that cannot be read is said beside the message") {
    const Ran ran = decode("x", {"--schema", "/nowhere/order.fbs"});
    CHECK(ran.code == 0);
    CHECK(has(ran.out, "schema_trouble"));
    CHECK(has(ran.out, "/nowhere/order.fbs"));
}

TEST_CASE("decode: a message of the stream, by the schema that its service published") {
    in_each_town([](Town& town) {
        town.ask("good", 50);
        REQUIRE(town.drive_all([&] { return town.at_rest(); }));
        const auto stored = town.request("$JS.API.STREAM.MSG.GET.SAGA", R"({"seq":1})");
        std::string body;
        {
            const std::string text = stored["message"]["data"];
            const Ran ran =
                run_to_end({.path = "/usr/bin/base64", .args = {"-d"}, .env = {}, .input = text});
            REQUIRE(ran.code == 0);
            body = ran.out;
        }
        const Ran ran = town.saga({"decode"}, body);
        CHECK(ran.code == 0);
        const auto json = nlohmann::json::parse(ran.out, nullptr, false);
        REQUIRE(json.is_object());
        CHECK(json["type"] == "test.asker.Asked");
        CHECK(json["payload"]["amount"] == 50);
        const Ran torn = town.saga({"decode"}, body.substr(0, body.size() / 2));
        CHECK(torn.code == 0);
        CHECK(has(torn.out, "\"error\""));
    });
}
