// saga backup, saga restore: of running services and of stopped ones.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/cli/town.hpp"

using namespace saga::testing;
namespace fs = std::filesystem;

namespace {

std::string content(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

void write(const std::string& path, const std::string& text) {
    std::ofstream(path, std::ios::binary) << text;
}

/// Backs granter up; the backup's folder.
std::string backed_up(Town& town) {
    const std::string path = town.json({"backup", "granter"})["path"];
    CHECK(fs::exists(path + "/granter.db"));
    CHECK(content(path + "/granter.key") == content(town.folder / "granter.key"));
    CHECK((fs::status(path).permissions() & fs::perms::mask) == fs::perms::owner_all);
    CHECK((fs::status(path + "/granter.key").permissions() & fs::perms::mask) ==
          (fs::perms::owner_read | fs::perms::owner_write));
    return path;
}

void settle(Town& town) {
    REQUIRE(town.drive_all([&] { return town.at_rest(); }));
}

std::int64_t grants(Town& town) {
    return town.granting->value("SELECT count(*) FROM grants");
}

}  // namespace

TEST_CASE("backup: of running services, and restored, it catches up") {
    in_each_town([](Town& town) {
        town.ask("t1", 1);
        settle(town);
        const std::string path = backed_up(town);
        town.ask("t2", 1);
        settle(town);
        const Ran refused = town.saga({"restore", path, "--data", town.folder.path()});
        CHECK(refused.code == 1);
        CHECK(has(refused.err, "is in use by another process"));
        CHECK(has(refused.err, "stop it first"));
        town.granting.reset();
        write(town.folder / "granter.db-wal", "what a death has left");
        const auto restored = town.json({"restore", path, "--data", town.folder.path()});
        CHECK(restored["service"] == "granter");
        CHECK(content(town.folder / "granter.db-wal.before-1") == "what a death has left");
        CHECK(fs::exists(std::string(restored["before"])));
        CHECK_FALSE(fs::exists(town.folder / "granter.db-wal"));
        town.granting.emplace(granter(), town.folder.path(), town.broker.url());
        settle(town);
        CHECK(grants(town) == 2);
        town.ask("t3", 1);
        settle(town);
        CHECK(grants(town) == 3);
    });
}

TEST_CASE("backup: all services at once, each its own, and again") {
    in_each_town([](Town& town) {
        for (int round = 1; round <= 2; ++round) {
            const Ran ran = town.saga({"backup"});
            CHECK_MESSAGE(ran.code == 0, ran.err);
            CHECK(lines(ran.out) == 3);
            int folders = 0;
            for (const auto& each : fs::directory_iterator(town.folder / "backups")) {
                ++folders;
                CHECK(each.path().extension() != ".part");
            }
            CHECK(folders == 3 * round);
        }
    });
}

TEST_CASE("backup: of a stopped service's files, into another folder with no key") {
    in_each_town([](Town& town) {
        town.ask("t1", 1);
        settle(town);
        const std::vector<std::string> words{"backup",           "granter", "--data",
                                             town.folder.path(), "--to",    town.folder / "kept"};
        const Ran running = town.saga(words);
        CHECK(running.code == 1);
        CHECK(has(running.err, "is in use by another process"));
        town.granting->stop();
        const std::string path = town.json(words)["path"];
        CHECK(path.starts_with(town.folder / "kept/granter-"));
        CHECK(town.saga({"restore", path, "--data", town.folder / "new"}).code == 0);
        CHECK(content(town.folder / "new/granter.key") == content(town.folder / "granter.key"));
        town.granting.emplace(granter(), town.folder / "new", town.broker.url());
        settle(town);
        CHECK(grants(town) == 1);
    });
}

TEST_CASE("backup: what cannot be written is said, and nothing is left of it") {
    in_each_town([](Town& town) {
        write(town.folder / "backups", "a file where the folder would be");
        const Ran ran = town.saga({"backup", "granter"});
        CHECK(ran.code == 1);
        CHECK(lines(ran.err) == 1);
        CHECK(has(ran.err, "granter refuses: cannot make a backup in"));
        CHECK(town.granting->ready());
        const Ran nobody = town.saga({"backup", "nobody", "--timeout", "300ms"});
        CHECK(nobody.code == 4);
        CHECK(has(nobody.err, "nobody does not answer"));
        CHECK(town.saga({"backup", "granter", "--to", "x"}).code == 2);
        CHECK(town.saga({"backup", "--data", town.folder.path()}).code == 2);
        CHECK(town.saga({"backup", "nobody", "--data", town.folder.path()}).code == 3);
        CHECK(town.saga({"backup", "no name"}).code == 2);
    });
}

TEST_CASE("backup, reconcile: of a service in shards, the files that are there are named") {
    in_each_town([](Town& town) {
        const auto said = [&](const char* command, const char* service) {
            const Ran ran = town.saga({command, service, "--data", town.folder / "shards"});
            CHECK(ran.code == 3);
            CHECK(lines(ran.err) == 1);
            return ran.err;
        };
        fs::create_directory(town.folder / "shards");
        CHECK(has(said("backup", "granter"), "there is no " + town.folder / "shards/granter.db"));
        for (const char* name : {"granter-0-of-2.db", "granter-1-of-2.db", "asker-0-of-2.db"})
            write(town.folder / "shards/" + name, "");
        for (const char* command : {"backup", "reconcile"}) {
            CHECK(has(said(command, "granter"), "granter.db: name granter-0-of-2, granter-1-of-2"));
            CHECK(has(said(command, "granter-1-of-4"), ": name granter-0-of-2, granter-1-of-2"));
            CHECK_FALSE(has(said(command, "auditor"), ": name"));
        }
    });
}

TEST_CASE("restore: refuses another key, and what is damaged, and leaves all as it was") {
    in_each_town([](Town& town) {
        town.ask("t1", 1);
        settle(town);
        const std::string path = backed_up(town);
        town.granting.reset();
        const auto refuses = [&](const std::string& folder, const std::string& why) {
            const std::string db = content(town.folder / "granter.db");
            const std::string wal = content(town.folder / "granter.db-wal");
            const Ran ran = town.saga({"restore", folder, "--data", town.folder.path()});
            CHECK(ran.code != 0);
            CHECK(lines(ran.err) == 1);
            CHECK_MESSAGE(has(ran.err, why), ran.err);
            CHECK(content(town.folder / "granter.db") == db);
            CHECK(content(town.folder / "granter.db-wal") == wal);
            CHECK_FALSE(fs::exists(town.folder / "granter.db.part"));
        };
        refuses(town.folder / "nothing", "is no backup");
        refuses(town.folder.path(), "has several databases");
        const std::string key = content(path + "/granter.key");
        write(path + "/granter.key", content(town.folder / "asker.key"));
        refuses(path, "is not the key of this backup");
        fs::rename(town.folder / "granter.key", town.folder / "aside.key");
        refuses(path, "is not the one that its database was made with");
        fs::rename(town.folder / "aside.key", town.folder / "granter.key");
        write(path + "/granter.key", key);
        std::string torn = content(path + "/granter.db");
        for (std::size_t i = 8'192; i < torn.size(); ++i) torn[i] = static_cast<char>(i * 7);
        write(path + "/granter.db", torn);
        refuses(path, "damaged");
    });
}
