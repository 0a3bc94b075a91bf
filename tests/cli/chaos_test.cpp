// saga chaos on a landscape of one service: what holds passes, what does not is said.
#include <doctest/doctest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/cli/town.hpp"

using namespace saga::testing;

namespace {

struct Trial {
    explicit Trial(const std::string& section) {
        std::ofstream(folder / "town.ini")
            << "[asker]\ncommand = " << asker_program() << "\n[chaos]\n"
            << section;
    }
    Ran run(std::vector<std::string> more) const {
        std::vector<std::string> args{"chaos",           "--config",      folder / "town.ini",
                                      "--data",          folder / "data", "--nats-server",
                                      servers().front(), "--json"};
        args.insert(args.end(), more.begin(), more.end());
        return run_to_end(
            {.path = saga_program(), .args = args, .env = plain_env(folder.path(), "")});
    }
    TempFolder folder;
};

}  // namespace

TEST_CASE("chaos: a landscape that comes through is told as one object") {
    const Trial trial("check = /bin/true\n");
    const Ran ran = trial.run({"--minutes", "0.02", "--fault", "kill", "--fault", "reset",
                               "--fault", "duplicate", "--seed", "7"});
    CAPTURE(ran.err);
    CHECK(ran.code == 0);
    const auto last = nlohmann::json::parse(ran.out, nullptr, false);
    REQUIRE(last.is_object());
    CHECK(last["violations"].empty());
    for (const char* kind : {"kill", "reset", "duplicate"}) CHECK(last["faults"][kind] > 0);
    CHECK_FALSE(last["faults"].contains("partition"));
}

TEST_CASE("chaos: what was accepted and is unknown, and a check that fails, are violations") {
    const Trial trial(
        "load = /bin/sh -c 'echo {\\\"key\\\":\\\"lost\\\",\\\"result\\\":\\\"ok\\\"}; exec sleep "
        "1000'\n"
        "check = /bin/sh -c 'echo a; echo the till is empty; exit 3'\n");
    const Ran ran = trial.run({"--minutes", "0.02", "--fault", "kill", "--seed", "7"});
    CAPTURE(ran.err);
    CHECK(ran.code == 1);
    CHECK(has(ran.err, "VIOLATION the check ended with code 3: the till is empty"));
    CHECK(has(ran.err, "VIOLATION lost was accepted, and nobody knows it"));
    CHECK(has(ran.err, "replay: saga chaos --config "));
    const auto last = nlohmann::json::parse(ran.out, nullptr, false);
    REQUIRE(last.is_object());
    CHECK(last["violations"].size() == 2);
    CHECK(last["kills"] > 0);
    CHECK(last["seed"] == 7);
}
