// saga verify, as its user runs it: on services that were stopped.
#include <doctest/doctest.h>

#include <fstream>

#include "saga/verify/stopped.hpp"
#include "tests/cli/town.hpp"

using namespace saga::testing;

namespace {

/// Everybody at rest, then down.
void close(Town& town) {
    REQUIRE(town.drive_all([&] {
        const auto at = [](Instance& each) { return each.value("SELECT seq FROM cursor"); };
        return town.at_rest() && at(*town.asking) == at(*town.granting) &&
               at(*town.asking) == at(*town.auditing);
    }));
    for (Instance* each : town.all()) each->stop();
}

void exec(Town& town, const std::string& service, const std::string& sql) {
    saga::store::Database db({.path = town.folder / (service + ".db"), .vfs = {}});
    db.exec(sql);
}

}  // namespace

TEST_CASE("verify: all is well, then something is missing") {
    in_each_town([](Town& town) {
        town.ask("held", 20);
        town.ask("undone", 13);
        close(town);
        const std::vector<std::string> command{"verify", "--data", town.folder.path().string()};
        const Ran well = town.saga(command);
        INFO(well.out, well.err);
        CHECK(well.code == 0);
        CHECK(well.out == "all is well: 9 events of 3 services\n");

        exec(town, "granter", "UPDATE journal SET state = 2 WHERE state = 5");
        const Ran ill = town.saga(command);
        CHECK(ill.code == 1);
        CHECK(has(ill.out, "the step grant is done, and published an undo"));
        CHECK(has(ill.out, "I5"));
        const auto json = town.json(command);
        CHECK(json["ok"] == false);
        CHECK(json["services"].size() == 3);
        CHECK(json["violations"][0]["invariant"] == "I1");
        CHECK(json["violations"][0]["service"] == "granter");
        CHECK(json["violations"][0]["saga"] == "undone");
    });
}

TEST_CASE("verify: what waits for an operator is listed, and is no violation") {
    in_each_town([](Town& town) {
        town.publish_junk();
        close(town);
        const auto json = town.json({"verify", "--data", town.folder.path().string()});
        CHECK(json["ok"] == true);
        REQUIRE(json["dead"].size() == 2);  // of everybody who read it
        CHECK(json["dead"][0]["service"] == "asker");
        CHECK(json["dead"][1]["service"] == "granter");
    });
}

TEST_CASE("verify: refuses a service that runs, and a folder without any") {
    in_each_town([](Town& town) {
        const Ran running = town.saga({"verify", "--data", town.folder.path().string()});
        CHECK(running.code == 1);
        CHECK(has(running.err, "asker.db is in use by another process"));
        const TempFolder empty;
        CHECK(town.saga({"verify", "--data", empty.path().string()}).code == 3);
        CHECK(town.saga({"verify", "--data", empty / "none"}).code == 1);
    });
}

TEST_CASE("verify: finds the database in a backup of a shard, beside the key of its name") {
    const TempFolder folder;
    const auto write = [&](const std::string& name) { std::ofstream file(folder / name); };
    write("granter-0-of-2.db");
    write("granter-0-of-2.key");
    write("notes.db");  // nobody's
    const auto found = saga::verify::databases_in(folder.path());
    REQUIRE(found.size() == 1);
    CHECK(found[0].filename() == "granter-0-of-2.db");
    write("asker-1-of-2.db");
    write("asker.key");  // as beside shards at work
    CHECK(saga::verify::databases_in(folder.path()).size() == 2);
}

TEST_CASE("verify: services that were stopped under way break nothing that always holds") {
    in_each_town([](Town& town) {
        town.granting.reset();  // nobody grants, so the saga cannot end in the meantime
        town.ask("open", 20);
        for (Instance* each : town.all()) each->kill();
        const std::string data = town.folder.path().string();
        const Ran ran = town.saga({"verify", "--under-way", "--data", data});
        INFO(ran.out, ran.err);
        CHECK(ran.code == 0);
        CHECK(town.saga({"verify", "--data", data}).code == 1);
    });
}

TEST_CASE("verify: reads what a service left that was killed") {
    for (const std::string& binary : servers()) {
        CAPTURE(binary);
        Town town(binary);
        const std::string data = town.folder / "killed";
        Program asker({.path = asker_program(),
                       .args = {"--data", data},
                       .env = plain_env(town.folder.path(), town.broker.url()),
                       .input = {}});
        REQUIRE(eventually([&] { return has(asker.ran().err, " info ready"); }));
        town.ask("open", 20);
        asker.signal(9);
        REQUIRE(eventually([&] { return asker.ended(); }));
        REQUIRE(std::filesystem::file_size(data + "/asker.db-wal") > 0);
        const auto json = town.json({"verify", "--under-way", "--data", data});
        CHECK(json["ok"] == true);
        CHECK(json["events"] == 1);
        CHECK(std::filesystem::file_size(data + "/asker.db-wal") > 0);
    }
}
