// A backup that a running service makes, and what is left of one that comes to nothing.
#include "saga/runtime/backups.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/unit/store/fixture.hpp"

using namespace saga;
using namespace saga::test;

TEST_CASE("backups: one that is given up leaves no room taken, and says why") {
    const Folder folder;
    store::Database db(at(folder.file("a.db")));
    std::ofstream(folder.file("a.key")) << "a key";
    runtime::SystemClock clock;
    const runtime::Timeline timeline(clock);
    const std::string place = folder.file("backups");
    runtime::Backups backups(db, timeline,
                             {.service = "a", .key_path = folder.file("a.key"), .folder = place});
    backups.give_up("there is none");
    const auto begun = nlohmann::json::parse(backups.take(""))["backup"];
    REQUIRE(begun["state"] == "running");
    REQUIRE(!std::filesystem::is_empty(place));
    backups.give_up("the disk is full");
    CHECK(!backups.busy());
    CHECK(std::filesystem::is_empty(place));
    const std::string said = backups.take(nlohmann::json{{"name", begun["name"]}}.dump());
    CHECK_MESSAGE(said.find("the disk is full") != std::string::npos, said);
    CHECK(nlohmann::json::parse(backups.take(""))["backup"]["state"] == "running");
}
