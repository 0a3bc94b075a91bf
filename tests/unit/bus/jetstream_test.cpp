#include "saga/bus/jetstream.hpp"

#include <doctest/doctest.h>

using namespace saga::bus;

namespace {

template <class T>
std::string trouble(const Result<T>& result) {
    const auto* problem = std::get_if<Problem>(&result);
    return problem == nullptr ? "" : problem->text;
}
std::int64_t ns(std::string_view time) {
    const auto read = parse_time(time);
    return read ? read->time_since_epoch().count() : -1;
}

}  // namespace

TEST_CASE("jetstream: an error of another shape is told, and throws nothing") {
    for (const char* text : {R"({"error": {"err_code": "10037"}})",
                             R"({"error": {"err_code": 1, "description": 7}})"}) {
        CAPTURE(text);
        CHECK(trouble(read_success(text)).starts_with("the broker's answer cannot be read"));
        CHECK(trouble(read_stream_info(text)).starts_with("the broker's answer cannot be read"));
    }
    CHECK(trouble(read_success(R"({"error": {"description": "full"}})")) == "full");
    CHECK(trouble(read_success("{}")).empty());
}

TEST_CASE("jetstream: a time that nanoseconds since 1970 cannot count is none") {
    CHECK(ns("1970-01-01T00:00:00Z") == 0);
    CHECK(ns("2026-01-31T12:00:00.5Z") == 1'769'860'800'500'000'000);
    CHECK(ns("2261-12-31T23:59:59.999999999Z") == 9'214'646'399'999'999'999);
    for (const char* time : {"0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "2262-01-01T00:00:00Z",
                             "9999-12-31T23:59:59Z"}) {
        CAPTURE(time);
        CHECK(ns(time) == -1);
    }
}

TEST_CASE("jetstream: a PubAck is read alike, however its JSON is written") {
    const auto ack = [](std::string_view text) {
        const auto read = read_pub_ack(text);
        const auto* value = std::get_if<PubAck>(&read);
        return value == nullptr ? std::pair(std::uint64_t{0}, false)
                                : std::pair(value->seq, value->duplicate);
    };
    using Read = std::pair<std::uint64_t, bool>;
    CHECK(ack(R"({"stream":"SAGA","seq":42})") == Read{42, false});
    CHECK(ack(R"({"stream":"SAGA", "seq":42})") == Read{42, false});
    CHECK(ack(R"({ "seq" : 42, "stream" : "SAGA" })") == Read{42, false});
    CHECK(ack(R"({"stream":"SA\"GA","seq":42})") == Read{42, false});
    CHECK(ack(R"({"stream":"SAGA","seq":42,"duplicate":true})") == Read{42, true});
    CHECK(ack(R"({"stream":"SAGA","domain":"d","seq":42})") == Read{42, false});
    CHECK(ack(R"({"stream":"SAGA","seq":18446744073709551615})") ==
          Read{18446744073709551615u, false});
    for (const char* text :
         {R"({"stream":"SAGA","seq":})", R"({"stream":"SAGA"})", R"({"stream":"SAGA","seq":42)",
          R"({"stream":")", R"({"error":{"code":503}})"}) {
        CAPTURE(text);
        CHECK(ack(text) == Read{0, false});
    }
}
