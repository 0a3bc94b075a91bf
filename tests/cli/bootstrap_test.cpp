// saga bootstrap: makes what is missing, and never touches what is there unless it is told to.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/cli/town.hpp"

using namespace saga::testing;

namespace {

struct Bare {
    explicit Bare(const std::string& binary) : broker(binary) {}
    Ran saga(std::vector<std::string> args) {
        return run_to_end({.path = saga_program(),
                           .args = std::move(args),
                           .env = plain_env(folder.path(), broker.url())});
    }
    Broker broker;
    TempFolder folder;
};

template <class Test>
void on_each_broker(Test test) {
    for (const std::string& binary : servers()) {
        CAPTURE(binary);
        Bare bare(binary);
        test(bare);
    }
}

std::size_t count(const nlohmann::json& made, const std::string& result) {
    std::size_t found = 0;
    for (const auto& each : made) found += each["result"] == result ? 1 : 0;
    return found;
}

}  // namespace

TEST_CASE("bootstrap: makes all of them once, and may be repeated") {
    on_each_broker([](Bare& bare) {
        const Ran first = bare.saga({"bootstrap", "--json"});
        CHECK_MESSAGE(first.code == 0, first.err);
        const auto made = nlohmann::json::parse(first.out, nullptr, false);
        CHECK(made.size() == 5);
        CHECK(count(made, "made") == 5);
        const Ran second = bare.saga({"bootstrap", "--json"});
        CHECK(second.code == 0);
        CHECK(count(nlohmann::json::parse(second.out, nullptr, false), "there already") == 5);
        CHECK(has(bare.saga({"bootstrap"}).out, "SAGA_DLQ"));
    });
}

TEST_CASE("bootstrap: a stream with other settings is named, and mended when asked for") {
    for (const std::string& binary : servers()) {
        CAPTURE(binary);
        Town town(binary);
        auto config = town.request("$JS.API.STREAM.INFO.SAGA_DLQ", "")["config"];
        config["discard"] = "new";
        REQUIRE_FALSE(
            town.request("$JS.API.STREAM.UPDATE.SAGA_DLQ", config.dump()).contains("error"));
        const Ran found = town.saga({"bootstrap"});
        CHECK(found.code == 1);
        CHECK(has(found.out, "has other settings"));
        CHECK(has(found.out, R"(discard is "new" and must be "old")"));
        CHECK(has(found.err, "`saga bootstrap --mend` changes them"));
        CHECK(lines(found.err) == 1);
        const Ran mended = town.saga({"bootstrap", "--mend"});
        CHECK_MESSAGE(mended.code == 0, mended.err);
        CHECK(has(mended.out, "mended"));
        CHECK(town.saga({"bootstrap"}).code == 0);
    }
}

TEST_CASE("bootstrap: without a broker, or without JetStream, says what to do") {
    const TempFolder home;
    const Ran nobody = run_to_end({.path = saga_program(),
                                   .args = {"bootstrap"},
                                   .env = plain_env(home.path(), "nats://127.0.0.1:1")});
    CHECK(nobody.code == 4);
    CHECK(has(nobody.err, "no nats-server answers at nats://127.0.0.1:1"));
    CHECK(lines(nobody.err) == 1);
}
