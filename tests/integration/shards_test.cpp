// A service in shards: each has the sagas of its partitions, and nobody else acts for them; moved
// to another number of shards, it goes on as it was.
#include <fmt/format.h>

#include <filesystem>
#include <fstream>

#include "saga/bus/nats_client.hpp"
#include "tests/integration/split.hpp"

using namespace saga;
using namespace saga::testing;
namespace fs = std::filesystem;

TEST_CASE("shards: a service that was split goes on, and so it does as a whole again") {
    on_each_split([](Split& s) {
        s.ask("whole", 6);
        s.stop_granter();
        s.move(3);
        CHECK_FALSE(fs::exists(s.l.file("granter")));
        s.start(3);
        s.ask("split", 12);
        s.each_has_its_own();
        for (const auto& each : s.shards) CHECK(each->value("SELECT count(*) FROM grants") > 0);
        s.stop();
        s.move(2);
        s.start(2);
        s.ask("again", 6);
        s.each_has_its_own();
        s.stop();
        s.move(1);
        s.l.start_granter();
        REQUIRE(s.l.drive_all([&] { return s.l.ready(); }));
        s.ask("one", 3);
        CHECK(s.l.granting->value("SELECT sum(amount) FROM grants") == s.asked);
        CHECK(count_stream(s.l.broker).names.at("Granted") == s.asked);
    });
}

TEST_CASE("shards: a saga goes on where it was moved to, its deadline with it") {
    on_each_split([](Split& s) {
        s.l.auditing->stop();  // nobody checks: granter waits, and asks at its deadline
        s.l.auditing.reset();
        testing::ask(s.l.broker, s.all(), "t", 1);
        REQUIRE(drive(s.all(), [&] {
            return s.l.granting->value("SELECT count(*) FROM timers") == 1 &&
                   s.l.granting->value("SELECT count(*) FROM outbox WHERE stream_seq IS NULL") == 0;
        }));
        s.stop_granter();
        s.move(2);
        s.start(2);
        const std::size_t nth = core::Shard{0, 2}.takes("t") ? 0 : 1;
        CHECK(s.shards[nth]->value("SELECT count(*) FROM timers") == 1);
        s.l.start_auditor();
        s.asked = 1;
        REQUIRE(drive(s.all(), [&] { return ended(*s.l.asking) == 1; }));
        CHECK(s.shards[nth]->value("SELECT count(*) FROM timers") == 0);
    });
}

TEST_CASE("shards: a start with another number of them is refused, and told what to do") {
    on_each_split([](Split& s) {
        const auto refused = [&](unsigned nth, unsigned of) {
            auto other = s.shard(nth, of);
            REQUIRE(drive({other.get()}, [&] { return !other->running(); }));
            return other->failure();
        };
        CHECK(refused(0, 2).find("granter runs unsplit and this is shard 0/2") == 0);
        s.stop_granter();
        CHECK(refused(1, 2).find("--reshard 2") != std::string::npos);
        s.move(2);
        s.start(2);
        CHECK(refused(0, 3).find("granter runs in 2 shards and this is shard 0/3") == 0);
        s.l.start_granter();  // a new, empty one
        REQUIRE(drive(s.all(), [&] { return !s.l.granting->running(); }));
        CHECK(s.l.granting->failure().find("granter runs in 2 shards and this is the whole") == 0);
        s.l.granting.reset();
        s.ask("t", 4);
        s.each_has_its_own();
    });
}

TEST_CASE("shards: what is moved has to be here, stopped, and somewhere else before") {
    on_each_split([](Split& s) {
        s.ask("t", 2);
        CHECK(s.moved(2).find("in use by another process") != std::string::npos);
        CHECK(s.moved(1).find("granter runs as a whole already") == 0);
        s.l.granting->kill();
        s.l.granting.reset();
        CHECK(s.moved(2).find("not stopped cleanly") != std::string::npos);
        CHECK(fs::exists(s.l.file("granter")));
        s.l.start_granter();
        REQUIRE(s.l.drive_all([&] { return s.l.ready(); }));
        s.stop_granter();
        s.move(2);
        CHECK(s.moved(2).find("granter runs in 2 shards already") == 0);
        fs::rename(s.l.file("granter-1-of-2"), s.l.folder / "elsewhere");
        CHECK(s.moved(4).find("granter-1-of-2.db is not here") != std::string::npos);
        fs::rename(s.l.folder / "elsewhere", s.l.file("granter-1-of-2"));
        s.start(2);
        s.ask("u", 2);
    });
}

TEST_CASE("shards: what was half done when it stopped is done by the next one") {
    on_each_split([](Split& s) {
        s.ask("t", 6);
        s.stop_granter();
        s.move(2);
        // As if it had stopped just behind the word that counts: nothing has its name yet.
        for (const char* name : {"granter-0-of-2", "granter-1-of-2"})
            fs::rename(s.l.file(name), s.l.file(name) + ".moving");
        fs::rename(s.l.file("granter") + ".moved", s.l.file("granter"));
        s.l.start_granter();
        REQUIRE(drive(s.all(), [&] { return !s.l.granting->running(); }));
        s.l.granting.reset();
        s.move(2);
        CHECK_FALSE(fs::exists(s.l.file("granter")));
        s.start(2);
        s.ask("u", 4);
        s.each_has_its_own();
    });
}

TEST_CASE("shards: an older database that is moved leaves its original behind") {
    on_each_split([](Split& s) {
        s.stop_granter();
        const std::string file = s.l.file("granter"), copy = s.l.folder / "older.db";
        fs::copy_file(file, copy);
        for (int i = 0; i < 2; ++i) {
            s.l.start_granter();
            REQUIRE(s.l.drive_all([&] { return s.l.ready(); }));
            s.stop_granter();
        }
        const std::string original = s.l.folder / "original.db";
        fs::rename(file, original);
        fs::rename(copy, file);
        s.move(2);
        s.start(2);
        fs::rename(original, file);
        s.l.start_granter();
        REQUIRE(drive(s.all(), [&] { return !s.l.granting->running(); }));
        CHECK(s.l.granting->failure().find("granter runs in 2 shards") == 0);
        s.l.granting.reset();
        for (const auto& each : s.shards) CHECK(each->running());
    });
}

TEST_CASE("shards: what a move left that came to nothing takes nobody's place") {
    on_each_split([](Split& s) {
        s.stop_granter();
        s.move(2);
        const std::string stale = s.l.file("granter-0-of-2") + ".moving";
        fs::copy_file(s.l.file("granter") + ".moved", stale);
        CHECK(s.moved(2).find("is of a move that came to nothing: remove it") != std::string::npos);
        CHECK(fs::exists(s.l.file("granter-0-of-2")));
        CHECK(fs::exists(stale));
        fs::remove(stale);
        CHECK(s.moved(2).find("granter runs in 2 shards already") == 0);
    });
}

TEST_CASE("shards: a broker that went back behind a move is told what runs") {
    on_each_split([](Split& s) {
        bus::NatsClient client(address_of(s.l.broker), "a test");
        const auto entry = [&] {
            return client.request_text("$JS.API.DIRECT.GET.KV_SAGA_OWNERS.$KV.SAGA_OWNERS.granter",
                                       "", 5s);
        };
        const auto goes_back = [&](const std::string& to) {
            client.request_text("$KV.SAGA_OWNERS.granter", to, 5s);
        };
        s.ask("t", 3);
        s.stop_granter();
        const std::string whole = entry();
        s.move(2);
        const std::string split = entry();
        goes_back(whole);
        s.start(2);
        CHECK(nlohmann::json::parse(entry())["shards"] == 2);
        s.ask("u", 3);
        s.each_has_its_own();
        s.stop();
        s.move(1);
        goes_back(split);
        s.l.start_granter();
        REQUIRE(s.l.drive_all([&] { return s.l.ready(); }));
        s.ask("v", 2);
        CHECK(s.l.granting->value("SELECT sum(amount) FROM grants") == s.asked);
    });
}

TEST_CASE("shards: a new database does not begin beside those of another number of shards") {
    TempFolder folder;
    const auto refused = [&](const core::Shard& shard) {
        try {
            runtime::require_alone({"granter", shard}, folder.path());
        } catch (const Error& failure) {
            return std::string(failure.what());
        }
        return std::string();
    };
    CHECK(refused({}) == "");
    const std::ofstream shard(folder / "granter-1-of-2.db"), other(folder / "granters.db");
    CHECK(refused({0, 2}) == "");
    CHECK(refused({}).find("granter-1-of-2.db, and this is granter: start it as that") !=
          std::string::npos);
    CHECK(refused({0, 4}).find("--reshard 4") != std::string::npos);
}

TEST_CASE("shards: a move and another one do not meet") {
    on_each_split([](Split& s) {
        s.stop_granter();
        {
            const store::FileLock other(s.l.folder / "granter.reshard");
            CHECK(s.moved(2).find("in use by another process") != std::string::npos);
        }
        s.move(2);
        fs::rename(s.l.file("granter-0-of-2"), s.l.folder / "elsewhere");
        CHECK(s.moved(2).find("granter-0-of-2.db is not here: nothing was done") !=
              std::string::npos);
        fs::rename(s.l.folder / "elsewhere", s.l.file("granter-0-of-2") + ".moving");
        CHECK(s.moved(4).find("finish it with `granter --reshard 2`") != std::string::npos);
        s.move(2);
        s.start(2);
        s.ask("t", 2);
    });
}
