// A service in shards: each has the sagas of its partitions, and nobody else acts for them; moved
// to another number of shards, it goes on as it was.
#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <nlohmann/json.hpp>

#include "saga/bus/nats_client.hpp"
#include "saga/core/shard.hpp"
#include "saga/runtime/reshard.hpp"
#include "tests/integration/stage.hpp"

using namespace saga;
using namespace saga::testing;
namespace fs = std::filesystem;

namespace {

/// The landscape, with granter in so many shards.
struct Split {
    explicit Split(const std::string& binary) : l(binary) {
        REQUIRE(l.drive_all([&] { return l.ready(); }));
    }
    Landscape l;
    std::vector<std::unique_ptr<Instance>> shards;

    std::unique_ptr<Instance> shard(unsigned nth, unsigned of) {
        Instance::Options options;
        options.worker.shard = {nth, of};
        options.contract = "{}";
        return std::make_unique<Instance>(granter(), l.folder.path(), l.broker.url(), options);
    }
    std::vector<Instance*> all() {
        std::vector<Instance*> there = l.all();
        for (const auto& each : shards) there.push_back(each.get());
        return there;
    }
    /// All sagas of granter's databases in the folder, which has been stopped.
    void move(unsigned to) {
        const Service service = granter();
        runtime::reshard(service.contract(), {address_of(l.broker), l.folder.path(), to},
                         [](const std::string&) {});
    }
    std::string moved(unsigned to) {
        try {
            move(to);
        } catch (const Error& failure) {
            return failure.what();
        }
        return "";
    }
    void stop_granter() {
        l.granting->stop();
        l.granting.reset();
    }
    void start(unsigned of) {
        for (unsigned nth = 0; nth < of; ++nth) shards.push_back(shard(nth, of));
        REQUIRE(drive(all(), [&] {
            return std::all_of(shards.begin(), shards.end(),
                               [](const auto& each) { return each->ready(); });
        }));
    }
    void stop() {
        for (const auto& each : shards) each->stop();
        shards.clear();
    }
    /// Asks for so many tickets, which all end.
    void ask(const std::string& name, int count) {
        for (int i = 0; i < count; ++i)
            testing::ask(l.broker, all(), fmt::format("{}{}", name, i), 1);
        asked += count;
        REQUIRE(drive(all(), [&] { return ended(*l.asking) == asked; }));
    }
    void each_has_its_own() {
        std::int64_t sum = 0;
        for (std::size_t nth = 0; nth < shards.size(); ++nth) {
            const core::Shard shard{static_cast<unsigned>(nth),
                                    static_cast<unsigned>(shards.size())};
            store::Statement sagas(shards[nth]->store().db(), "SELECT id FROM sagas");
            store::Rows rows = sagas.query();
            while (rows.next()) CHECK_MESSAGE(shard.takes(rows.text(0)), rows.text(0));
            sum += shards[nth]->value("SELECT ifnull(sum(amount), 0) FROM grants");
        }
        CHECK(sum == asked);
        const Counted counted = count_stream(l.broker);
        CHECK(counted.names.at("Granted") == asked);
        for (const auto& each : counted.ids) CHECK_MESSAGE(each.second == 1, each.first);
    }
    std::string said(const std::string& subject, std::string_view body) {
        return request(l.broker, all(), subject, body);
    }
    int asked = 0;
};

template <class Test>
void on_each_split(Test test) {
    on_each_server([&](const std::string& binary) {
        Split split(binary);
        test(split);
    });
}

}  // namespace

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

TEST_CASE("shards: asked as a service, the one that has the saga answers, or each for its part") {
    on_each_split([](Split& s) {
        s.stop_granter();
        s.move(2);
        s.start(2);
        s.ask("t", 4);
        for (int i = 0; i < 4; ++i) {
            const std::string saga = fmt::format("t{}", i);
            const auto json = nlohmann::json::parse(
                s.said("saga-ctl.granter.retry", nlohmann::json{{"saga", saga}}.dump()));
            CHECK(json["refused"]["why"] == "nothing of that saga is dead here");
        }
        const auto why = [&](const char* verb, const char* body) {
            const std::string answer = s.said(fmt::format("saga-ctl.granter.{}", verb), body);
            return nlohmann::json::parse(answer)["refused"].value("code", "");
        };
        CHECK(why("retry", "17") == "sharded");
        CHECK(why("letter", R"({"id":"17"})") == "sharded");
        CHECK(why("drop", R"({"id":"17","reason":"none"})") == "sharded");
        CHECK(why("drop", R"({"id":"17","saga":"t0","reason":"none"})") == "sharded");
        for (int nth = 0; nth < 2; ++nth) {
            const auto state = nlohmann::json::parse(
                s.said(fmt::format("saga-ctl.granter-{}-of-2.state", nth), ""));
            CHECK(state["service"] == fmt::format("granter-{}-of-2", nth));
            CHECK(state["shard"] == fmt::format("{}/2", nth));
        }
        bus::NatsClient client(address_of(s.l.broker), "a client");
        auto asking = std::async(std::launch::async, [&] {
            return client.request_all("saga-ctl.granter.grants", "", 5s);
        });
        REQUIRE(drive(s.all(), [&] { return asking.wait_for(0s) == std::future_status::ready; }));
        const std::vector<std::string> answers = asking.get();
        std::size_t rows = 0;
        for (const std::string& answer : answers) rows += nlohmann::json::parse(answer).size();
        CHECK(answers.size() == 2);
        // Where one answers alone, nobody waits for another.
        auto alone = std::async(std::launch::async, [&] {
            return client.request_all("saga-ctl.granter-1-of-2.grants", "", 5s).size() +
                   client.request_all("saga-ctl.granter.dead", R"({"saga":"t0"})", 5s).size();
        });
        REQUIRE(drive(s.all(), [&] { return alone.wait_for(0s) == std::future_status::ready; }));
        CHECK(alone.get() == 2);
        CHECK(rows == 4);
    });
}

TEST_CASE(
    "shards: a shard does nothing for a saga that another one has, by whatever name it is asked") {
    on_each_split([](Split& s) {
        s.stop_granter();
        s.move(2);
        s.start(2);
        const unsigned other = core::Shard{0, 2}.takes("t") ? 1 : 0;
        const std::string said = s.said(fmt::format("saga-ctl.granter-{}-of-2.retry", other),
                                        R"({"saga":"t","reason":"by its name"})");
        CHECK_MESSAGE(said.find("sharded") != std::string::npos, said);
        CHECK_MESSAGE(said.find("ask saga-ctl.granter.retry") != std::string::npos, said);
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

TEST_CASE("shards: a part of an answer is none") {
    on_each_split([](Split& s) {
        s.stop_granter();
        s.move(2);
        s.start(2);
        s.shards.pop_back();
        bus::NatsClient client(address_of(s.l.broker), "a client");
        auto half = std::async(std::launch::async, [&]() -> std::string {
            try {
                client.request_all("saga-ctl.granter.grants", "", 1s);
            } catch (const bus::NoAnswer& none) {
                return none.what();
            }
            return "";
        });
        REQUIRE(drive(s.all(), [&] { return half.wait_for(0s) == std::future_status::ready; }));
        CHECK(half.get() == "1 of 2 shards answered on saga-ctl.granter.grants within 1000 ms");
    });
}

TEST_CASE("shards: what an operator says of junk counts in the shard that put it aside") {
    on_each_split([](Split& s) {
        s.stop_granter();
        s.move(2);
        s.start(2);
        for (int partition = 0; partition < 4; ++partition) {
            const std::string text = "no event";
            REQUIRE(inject(s.l.broker, fmt::format("saga.asker.done.Asked.p0{}", partition),
                           std::as_bytes(std::span(text))) != 0);
        }
        REQUIRE(drive(s.all(), [&] {
            return s.shards[0]->value("SELECT count(*) FROM aside") == 2 &&
                   s.shards[1]->value("SELECT count(*) FROM aside") == 2;
        }));
        for (int nth = 0; nth < 2; ++nth)
            CHECK(s.said(fmt::format("saga-ctl.granter-{}-of-2.drop", nth),
                         R"({"id":"aside-1","reason":"junk of a test"})")
                      .starts_with("{\"accepted\""));
        REQUIRE(drive(s.all(), [&] {
            return s.shards[0]->value("SELECT count(*) FROM aside") == 1 &&
                   s.shards[1]->value("SELECT count(*) FROM aside") == 1;
        }));
        for (const auto& each : s.shards) CHECK(each->running());
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
