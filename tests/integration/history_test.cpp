// Of a service's own history: a database older than the world, none at all, a stream that is
// another one, or not there.
#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "saga/bus/topology.hpp"
#include "tests/integration/stage.hpp"

using namespace saga;
using namespace saga::testing;
namespace fs = std::filesystem;

namespace {

std::vector<std::byte> sound() {
    return detail::pack(test::Answer{.verdict = "sound"});
}

/// Who was asked outside, under which key, how often.
struct Outside {
    std::map<std::string, std::map<std::string, int>> keys;  // by ticket
    runtime::Ask ask() {
        return [this](std::string_view, Bytes question, std::string_view key, auto) {
            const auto asked = detail::unpack<test::Question>(question);
            ++keys[asked.ticket][std::string(key)];
            return sound();
        };
    }
    int most() const {
        int most = 0;
        for (const auto& [ticket, of] : keys)
            for (const auto& [key, times] : of) most = std::max({most, times, int(of.size())});
        return most;
    }
};

/// Runs sagas before and after a backup of `victim`, puts it back, and looks at what comes of it.
template <class Victim, class Restart>
void restored(Victim victim, Restart restart, const std::string& service) {
    on_each_server([&](const std::string& binary) {
        Outside outside;
        Landscape l(binary, calling_auditor(), {.ask = outside.ask()});
        for (int i = 0; i < 4; ++i) l.ask(fmt::format("before{}", i), i == 3 ? 99 : 1);
        REQUIRE(l.drive_all([&] { return ended(*l.asking) == 4 && l.at_rest(); }));
        save(l, *victim(l));
        std::vector<std::string> answers;
        for (int i = 0; i < 4; ++i) answers.push_back(l.ask(fmt::format("after{}", i), 1 + i));
        REQUIRE(l.drive_all([&] { return ended(*l.asking) == 8 && l.at_rest(); }));
        const Counted was = count_stream(l.broker);
        victim(l)->kill();
        restore(l, service);
        restart(l);
        REQUIRE(l.drive_all([&] { return ended(*l.asking) == 8 && l.at_rest(); }));
        const Counted is = count_stream(l.broker);
        CHECK(is.ids == was.ids);
        CHECK(outside.most() == 1);
        for (int i = 0; i < 4; ++i) CHECK(l.ask(fmt::format("after{}", i), 1 + i) == answers[i]);
        CHECK(l.ask("after1", 7).find("conflict") != std::string::npos);
        CHECK(l.ask("next", 1).find("accepted") != std::string::npos);
        REQUIRE(l.drive_all([&] { return ended(*l.asking) == 9 && l.at_rest(); }));
        CHECK(outside.most() == 1);
        CHECK(l.granting->value("SELECT count(*) FROM grants") == 8);
        CHECK(l.granting->value("SELECT sum(amount) FROM grants") == 14);
        CHECK(l.auditing->value("SELECT count(*) FROM checks") == 8);
        for (Instance* each : l.all()) {
            CHECK(each->value("SELECT count(*) FROM aside") == 0);
            CHECK(each->value("SELECT count(*) FROM recorded") == 0);
        }
    });
}

Instance* granting(Landscape& l) {
    return &*l.granting;
}

void update_stream(const Broker& broker, const nlohmann::json& changes) {
    auto config = nlohmann::json::parse(bus::assets(1, 0).front().config);
    config.update(changes);
    api(broker, "STREAM.UPDATE.SAGA", config.dump());
}

/// Takes everything that the stream holds, as age would.
void age(const Broker& broker) {
    update_stream(broker, {{"max_age", 100'000'000}, {"duplicate_window", 100'000'000}});
    REQUIRE(eventually([&] {
        const auto info = nlohmann::json::parse(api(broker, "STREAM.INFO.SAGA", ""));
        return info["state"]["messages"] == 0;
    }));
    update_stream(broker, nlohmann::json::object());
}

}  // namespace

TEST_CASE("history: a restored asker catches up in silence, and knows its commands") {
    restored([](Landscape& l) { return &*l.asking; }, [](Landscape& l) { l.start_asker(); },
             "asker");
}

TEST_CASE("history: a restored granter catches up in silence") {
    restored(
        granting, [](Landscape& l) { l.start_granter(); }, "granter");
}

TEST_CASE("history: a restored auditor asks nobody outside again") {
    restored([](Landscape& l) { return &*l.auditing; }, [](Landscape& l) { l.start_auditor(); },
             "auditor");
}

TEST_CASE("history: restored in the middle of sagas, all of them end") {
    on_each_landscape([](Landscape& l) {
        save(l, *l.granting);
        l.auditing.reset();
        for (int i = 0; i < 5; ++i) l.ask(fmt::format("t{}", i), i % 2 == 0 ? 13 : 1);
        REQUIRE(l.drive_all([&] { return l.granting->value("SELECT count(*) FROM grants") == 5; }));
        REQUIRE(l.drive_all([&] {
            return l.granting->value(
                       "SELECT count(*) FROM outbox WHERE "
                       "stream_seq IS NULL") == 0;
        }));
        l.granting->kill();
        restore(l, "granter");
        l.start_auditor();
        l.start_granter();
        REQUIRE(l.drive_all([&] { return ended(*l.asking) == 5 && l.at_rest(); }));
        CHECK(l.granting->value("SELECT count(*) FROM grants") == 2);
        const Counted counted = count_stream(l.broker);
        CHECK(counted.names.at("Granted") == 5);
        CHECK(counted.names.at("Revoked") == 3);
    });
}

TEST_CASE("history: the broker's store is wiped while a restored service catches up") {
    on_each_landscape([](Landscape& l) {
        save(l, *l.granting);
        for (int i = 0; i < 6; ++i) l.ask(fmt::format("t{}", i), i == 0 ? 13 : 1);
        REQUIRE(l.drive_all([&] { return ended(*l.asking) == 6 && l.at_rest(); }));
        const Counted was = count_stream(l.broker);
        l.granting->kill();
        restore(l, "granter");
        {  // as if it had been stopped: then one turn is one item
            store::Store restored({.path = l.file("granter"), .vfs = {}}, {});
            restored.meta.set(store::Meta::kClean, 1);
        }
        l.granting.emplace(granter(), l.folder.path(), l.broker.url(),
                           Instance::Options{.worker = {.executor = {}, .batch = 1}});
        REQUIRE(drive({&*l.granting},
                      [&] { return l.granting->value("SELECT count(*) FROM sagas") == 3; }));
        REQUIRE(l.granting->state().find("catching up") != std::string::npos);
        l.broker.kill();
        l.broker.wipe();
        l.broker.start();
        l.broker.bootstrap();
        REQUIRE(l.drive_all([&] { return l.ready() && l.at_rest(); }, 40s));
        CHECK(count_stream(l.broker).ids == was.ids);
        CHECK(l.granting->value("SELECT count(*) FROM grants") == 5);
        for (Instance* each : l.all()) CHECK(each->value("SELECT count(*) FROM aside") == 0);
    });
}

TEST_CASE("history: a call that was open in the backup is answered as it is on record") {
    on_each_server([](const std::string& binary) {
        int answered = 0;
        bool answers = false;
        const auto ask = [&](auto...) {
            if (!answers) throw Error("silence");
            ++answered;
            return sound();
        };
        Landscape l(binary, calling_auditor(), {.ask = ask});
        l.ask("t", 1);
        REQUIRE(l.drive_all([&] {
            return l.auditing->value("SELECT count(*) FROM calls WHERE attempts > 0") == 1;
        }));
        save(l, *l.auditing);
        answers = true;
        REQUIRE(l.drive_all([&] { return ended(*l.asking) == 1 && l.at_rest(); }));
        const Counted was = count_stream(l.broker);
        l.auditing->kill();
        restore(l, "auditor");
        l.start_auditor();
        REQUIRE(l.drive_all([&] { return l.at_rest(); }));
        CHECK(answered == 1);
        CHECK(l.auditing->value("SELECT count(*) FROM checks") == 1);
        for (const char* none : {"aside", "calls", "recorded"})
            CHECK_MESSAGE(l.auditing->value(fmt::format("SELECT count(*) FROM {}", none)) == 0,
                          none);
        CHECK(count_stream(l.broker).ids == was.ids);
    });
}

TEST_CASE("history: a new database needs --rebuild, and is rebuilt") {
    on_each_landscape([](Landscape& l) {
        for (int i = 0; i < 4; ++i) l.ask(fmt::format("t{}", i), i == 0 ? 13 : 1);
        REQUIRE(l.drive_all([&] { return ended(*l.asking) == 4 && l.at_rest(); }));
        const Counted was = count_stream(l.broker);
        l.granting->stop();
        for (const char* tail : {"", "-wal", "-shm"}) fs::remove(l.file("granter") + tail);
        l.start_granter();
        REQUIRE(l.drive_all([&] { return !l.granting->running(); }));
        CHECK(l.granting->failure().find("--rebuild") != std::string::npos);
        l.granting.emplace(granter(), l.folder.path(), l.broker.url(),
                           Instance::Options{.rebuild = true});
        REQUIRE(l.drive_all([&] { return l.at_rest(); }));
        CHECK(l.granting->value("SELECT sum(amount) FROM grants") == 3);
        CHECK(count_stream(l.broker).ids == was.ids);
    });
}

TEST_CASE("history: nothing is rebuilt with another key") {
    on_each_landscape([](Landscape& l) {
        l.ask("t", 1);
        REQUIRE(l.drive_all([&] { return ended(*l.asking) == 1 && l.at_rest(); }));
        const Counted was = count_stream(l.broker);
        l.granting->stop();
        for (const char* tail : {"", "-wal", "-shm"}) fs::remove(l.file("granter") + tail);
        fs::remove(l.folder / "granter.key");
        l.granting.emplace(granter(), l.folder.path(), l.broker.url(),
                           Instance::Options{.rebuild = true});
        REQUIRE(l.drive_all([&] { return !l.granting->running() || l.granting->ready(); }));
        CHECK(l.granting->failure().find("key") != std::string::npos);
        CHECK(count_stream(l.broker).ids == was.ids);
    });
}

TEST_CASE("history: a foreign event under our own name stops the service") {
    on_each_landscape([](Landscape& l) {
        l.ask("t", 1);
        REQUIRE(l.drive_all([&] { return l.at_rest(); }));
        const auto payload = detail::pack(test::Granted{.ticket = "forged", .amount = 1});
        const Time now =
            std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
        inject(l.broker, {.id = any_id(7),
                          .type = "test.granter.Granted",
                          .saga = "forged",
                          .started = now,
                          .source = "granter",
                          .time = now,
                          .step = "grant",
                          .payload = payload});
        REQUIRE(l.drive_all([&] { return !l.granting->running(); }));
        const std::string why = l.granting->failure();
        CHECK(why.find("this database never published it") != std::string::npos);
        CHECK(why.find("granter") != std::string::npos);
        // Started again, the operator having looked: it is on record, and nothing here leads to it.
        l.start_granter();
        REQUIRE(l.drive_all([&] { return l.granting->ready(); }));
        CHECK(l.granting->value("SELECT count(*) FROM aside") == 1);
        l.ask("next", 1);
        REQUIRE(l.drive_all([&] { return l.granting->value("SELECT count(*) FROM grants") == 2; }));
    });
}

TEST_CASE("history: what was trimmed unread needs an operator's word") {
    on_each_landscape([](Landscape& l) {
        l.auditing->stop();
        for (int i = 0; i < 3; ++i) l.ask(fmt::format("gone{}", i), 1);
        REQUIRE(drive({&*l.asking, &*l.granting}, [&] {
            return l.asking->value("SELECT seq FROM cursor") == 6 &&
                   l.granting->value("SELECT seq FROM cursor") == 6;
        }));
        l.asking->stop();
        l.granting->stop();
        age(l.broker);
        l.start();
        REQUIRE(l.drive_all([&] { return !l.auditing->running(); }));
        CHECK(l.auditing->failure().find("--accept-history-loss") != std::string::npos);
        l.auditing.emplace(auditor(), l.folder.path(), l.broker.url(),
                           Instance::Options{.accept_history_loss = true});
        REQUIRE(l.drive_all([&] { return l.ready(); }));
        l.ask("good", 1);
        REQUIRE(l.drive_all([&] { return ended(*l.asking) == 1; }));
        l.auditing->kill();
        l.start_auditor();  // said once
        REQUIRE(l.drive_all([&] { return l.ready(); }));
        // From nothing it cannot be rebuilt any more.
        l.granting->stop();
        for (const char* tail : {"", "-wal", "-shm"}) fs::remove(l.file("granter") + tail);
        l.granting.emplace(granter(), l.folder.path(), l.broker.url(),
                           Instance::Options{.rebuild = true});
        REQUIRE(l.drive_all([&] { return !l.granting->running(); }));
        CHECK(l.granting->failure().find("no longer holds its first") != std::string::npos);
    });
}

TEST_CASE("history: what was read and concerned nobody is no loss when it is trimmed") {
    on_each_landscape([](Landscape& l) {
        for (int round = 1; round <= 3; ++round) {
            l.ask(fmt::format("t{}", round), 1);
            REQUIRE(l.drive_all([&] { return ended(*l.asking) == round && l.at_rest(); }));
            const std::string noise = "of no concern";
            const std::uint64_t last =
                inject(l.broker, "saga.stranger.done.Noise.p00", std::as_bytes(std::span(noise)));
            REQUIRE(last > 0);
            for (Instance* each : l.all()) {
                const auto read = [&] { return each->node().reader().read_to() >= last; };
                REQUIRE(l.drive_all(read));
                each->stop();
            }
            for (const char* service : {"asker", "granter", "auditor"})
                CHECK(left(l, service, "SELECT seq FROM cursor") >= std::int64_t(last));
            age(l.broker);
            l.start();
            const bool ready = l.drive_all([&] { return l.ready(); });
            REQUIRE(ready);
        }
    });
}

TEST_CASE("history: without its stream a service says so, and begins when it is there") {
    on_each_server([](const std::string& binary) {
        Broker broker(binary);
        TempFolder folder;
        Instance asking(asker(), folder.path(), broker.url());
        const auto says = [&](std::string_view what) {
            const bool said = drive(
                {&asking}, [&] { return asking.state().find(what) != std::string::npos; }, 10s);
            if (!said) MESSAGE(asking.state());
            return said;
        };
        CHECK(says("saga bootstrap"));
        broker.bootstrap();
        REQUIRE(drive({&asking}, [&] { return asking.ready(); }));
        CHECK(asking.value("SELECT count(*) FROM outbox") == 0);
        api(broker, "STREAM.DELETE.SAGA", "");
        asking.kill();
        Instance again(asker(), folder.path(), broker.url());
        REQUIRE(drive({&again}, [&] {
            return again.state().find("there is no stream SAGA") != std::string::npos;
        }));
        broker.bootstrap();
        REQUIRE(drive({&again}, [&] { return again.ready(); }));
    });
}

TEST_CASE("history: of a stream with other settings a service says so, and waits") {
    on_each_landscape([](Landscape& l) {
        l.asking->stop();
        update_stream(l.broker, {{"discard", "old"}});
        l.start_asker();
        const auto says = [&] {
            return l.asking->state().find("discard is \"old\"") != std::string::npos;
        };
        REQUIRE(l.drive_all([&] { return !l.asking->running() || says(); }));
        CHECK(l.asking->running());
        update_stream(l.broker, nlohmann::json::object());
        REQUIRE(l.drive_all([&] { return l.asking->ready(); }));
        l.ask("t", 1);
        REQUIRE(l.drive_all([&] { return ended(*l.asking) == 1 && l.at_rest(); }));
    });
}

TEST_CASE("history: the stream is deleted and made anew while everybody runs") {
    on_each_landscape([](Landscape& l) {
        for (int i = 0; i < 5; ++i) l.ask(fmt::format("before{}", i), 1);
        l.auditing->kill();
        for (int i = 0; i < 5; ++i) l.ask(fmt::format("during{}", i), i == 0 ? 13 : 1);
        api(l.broker, "STREAM.DELETE.SAGA", "");
        l.broker.bootstrap();
        l.start_auditor();
        for (int i = 0; i < 5; ++i) l.ask(fmt::format("after{}", i), 1);
        REQUIRE(l.drive_all([&] { return ended(*l.asking) == 15 && l.at_rest(); }, 40s));
        CHECK(l.granting->value("SELECT sum(amount) FROM grants") == 14);
        CHECK(l.auditing->value("SELECT count(*) FROM checks") == 14);
        CHECK(ends(l.broker).size() == 15);
    });
}
