// Messages as JSON, and bytes as base64.
#include <doctest/doctest.h>

#include <cstring>
#include <nlohmann/json.hpp>
#include <random>
#include <saga/detail/code.hpp>

#include "saga/runtime/contract_json.hpp"
#include "saga/view/base64.hpp"
#include "saga/view/message_json.hpp"
#include "tests/landscape/landscape.hpp"

using namespace saga;
using namespace saga::view;

namespace {

std::vector<std::byte> bytes_of(std::string_view text) {
    std::vector<std::byte> bytes(text.size());
    if (!text.empty()) std::memcpy(bytes.data(), text.data(), text.size());
    return bytes;
}

std::vector<std::byte> message(const std::vector<std::byte>& payload) {
    core::Envelope envelope{.type = "test.asker.Asked", .saga = "t1", .source = "asker"};
    envelope.id.bytes[15] = 7;
    envelope.started = envelope.time = Time(std::chrono::seconds(1'700'000'000));
    envelope.step = "ask";
    envelope.payload = payload;
    return core::encode(envelope);
}

Schemas schemas() {
    const Service service = testing::asker();
    Landscape landscape;
    landscape.add("asker", runtime::contract_json(service.contract()));
    Schemas found;
    found.add(landscape);
    return found;
}

}  // namespace

TEST_CASE("base64: bytes come back, and what is none is refused") {
    for (const char* text : {"", "a", "ab", "abc", "abcd"})
        CHECK(from_base64(to_base64(bytes_of(text))) == bytes_of(text));
    CHECK(to_base64(bytes_of("abcd")) == "YWJjZA==");
    for (const char* none : {"Y", "YWJjZA", "Y*==", "YWJjZA==YWJj"})
        CHECK_MESSAGE(!from_base64(none), none);
}

TEST_CASE("message_json: an event, with its payload where the schema is known") {
    const auto body = message(detail::pack(test::Asked{.ticket = "t1", .amount = 5}));
    const auto json = message_json(body, schemas());
    CHECK(json["type"] == "test.asker.Asked");
    CHECK(json["saga"] == "t1");
    CHECK(json["kind"] == "done");
    CHECK(json["time"] == "2023-11-14T22:13:20.000000Z");
    CHECK(json["payload"]["ticket"] == "t1");
    CHECK(json["payload"]["amount"] == 5);
    CHECK_FALSE(json.contains("cause"));
    CHECK(message_json(body, Schemas{})["payload"].contains("error"));
    const auto torn = message(bytes_of("nothing of the kind"));
    CHECK(message_json(torn, schemas())["payload"].contains("error"));
}

TEST_CASE("message_json: any bytes are an event or an error, and never more") {
    const Schemas known = schemas();
    const auto sound = message(detail::pack(test::Asked{.ticket = "t1", .amount = 5}));
    std::mt19937 random(20240611);
    for (int round = 0; round < 20'000; ++round) {
        std::vector<std::byte> body = sound;
        if (round % 2 == 0) body.resize(random() % 300);
        for (unsigned i = 0, n = random() % 8; !body.empty() && i <= n; ++i)
            body[random() % body.size()] = static_cast<std::byte>(random());
        const auto json = message_json(body, known);
        CHECK((json.contains("type") || json["error"].get<std::string>().size() > 5));
        CHECK(nlohmann::json::accept(line(json)));
    }
}

TEST_CASE("message_json: a line obeys nobody's control characters") {
    const std::string text = line({{"a", "\x1b[31m\x7f\xc2\x9b\xff\n"}});
    for (const char c : text) CHECK(static_cast<std::uint8_t>(c) >= 0x20);
    CHECK(text.find("\\u007f\\u009b") != std::string::npos);
    CHECK(nlohmann::json::accept(text));
}
