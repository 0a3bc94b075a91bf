// One instance acts under a service's name: two on one file, a copy, another file.
#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "saga/bus/nats_client.hpp"
#include "saga/store/database.hpp"
#include "tests/integration/stage.hpp"

using namespace saga;
using namespace saga::testing;
namespace fs = std::filesystem;

namespace {

/// A live copy of granter's database and key in a folder of its own.
void copy_granter(Landscape& l, const TempFolder& to) {
    copy_database(*l.granting, to / "granter.db");
    fs::copy_file(l.folder / "granter.key", to / "granter.key");
}

}  // namespace

TEST_CASE("ownership: a second process on the same file is refused, and told who has it") {
    on_each_landscape([](Landscape& l) {
        std::string why;
        try {
            Instance second(granter(), l.folder.path(), l.broker.url());
        } catch (const Error& refused) {
            why = refused.what();
        }
        CHECK(why.find("in use by another process (process ") != std::string::npos);
        l.ask("t", 1);
        REQUIRE(l.drive_all([&] { return ended(*l.asking) == 1 && l.at_rest(); }));
    });
}

TEST_CASE("ownership: a copy is refused while the original runs, and catches up after it") {
    on_each_landscape([](Landscape& l) {
        l.ask("before", 1);
        REQUIRE(l.drive_all([&] { return ended(*l.asking) == 1 && l.at_rest(); }));
        TempFolder elsewhere;
        copy_granter(l, elsewhere);
        for (int i = 0; i < 3; ++i) l.ask(fmt::format("t{}", i), 1);
        REQUIRE(l.drive_all([&] { return ended(*l.asking) == 4 && l.at_rest(); }));
        const Counted was = count_stream(l.broker);
        Instance copy(granter(), elsewhere.path(), l.broker.url());
        std::vector<Instance*> all = l.all();
        all.push_back(&copy);
        REQUIRE(drive(all, [&] { return !copy.running(); }));
        CHECK(copy.failure().find("runs already") != std::string::npos);
        CHECK(l.granting->ready());
        l.granting->kill();
        Instance heir(granter(), elsewhere.path(), l.broker.url());
        all = {&*l.asking, &*l.auditing, &heir};
        REQUIRE(drive(all, [&] { return heir.ready(); }));
        CHECK(heir.value("SELECT sum(amount) FROM grants") == 4);
        CHECK(count_stream(l.broker).ids == was.ids);
        ask(l.broker, all, "after", 1);
        REQUIRE(drive(all, [&] { return ended(*l.asking) == 5; }));
        // The original comes back beside its copy.
        l.start_granter();
        all.push_back(&*l.granting);
        REQUIRE(drive(all, [&] { return !l.granting->running(); }));
        CHECK(l.granting->failure().find("runs already") != std::string::npos);
        CHECK(heir.running());
    });
}

TEST_CASE("ownership: whoever was silent and finds another one there stops") {
    on_each_landscape([](Landscape& l) {
        TempFolder elsewhere;
        copy_granter(l, elsewhere);
        // The original hangs: it does not answer, and after that it is nobody any more.
        Instance copy(granter(), elsewhere.path(), l.broker.url());
        const std::vector<Instance*> others{&*l.asking, &*l.auditing, &copy};
        REQUIRE(drive(others, [&] { return copy.ready(); }));
        ask(l.broker, others, "t", 1);
        REQUIRE(drive(others, [&] { return ended(*l.asking) == 1; }));
        std::vector<Instance*> all = others;
        all.push_back(&*l.granting);
        l.granting->clock().advance(11s);
        REQUIRE(drive(all, [&] { return !l.granting->running(); }));
        const std::string& why = l.granting->failure();
        const bool said = why.find("has taken over") != std::string::npos ||
                          why.find("this database never published it") != std::string::npos;
        CHECK_MESSAGE(said, why);
        REQUIRE(drive(others, [&] { return copy.ready(); }));  // they have one consumer
        const Counted counted = count_stream(l.broker);
        CHECK(counted.names.at("Granted") == 1);
        for (const auto& each : counted.ids) CHECK_MESSAGE(each.second == 1, each.first);
    });
}

TEST_CASE("ownership: whoever was paused looks before it answers") {
    on_each_landscape([](Landscape& l) {
        TempFolder elsewhere;
        copy_database(*l.asking, elsewhere / "asker.db");
        fs::copy_file(l.folder / "asker.key", elsewhere / "asker.key");
        Instance copy(asker(), elsewhere.path(), l.broker.url());  // the original hangs
        const std::vector<Instance*> others{&copy, &*l.granting, &*l.auditing};
        REQUIRE(drive(others, [&] { return copy.ready(); }));
        ask(l.broker, others, "t", 1);  // the request waits in the original's socket, too
        REQUIRE(drive(others, [&] { return ended(copy) == 1; }));
        std::vector<Instance*> all = others;
        all.push_back(&*l.asking);
        l.asking->clock().advance(3s);
        REQUIRE(drive(all, [&] { return !l.asking->running(); }));
        CHECK_MESSAGE(l.asking->failure().find("has taken over") != std::string::npos,
                      l.asking->failure());
        REQUIRE(drive(others, [&] { return copy.ready(); }));
        CHECK(count_stream(l.broker).names.at("Asked") == 1);
    });
}

TEST_CASE("ownership: another database does not take over a name") {
    on_each_landscape([](Landscape& l) {
        l.granting->stop();
        TempFolder elsewhere;
        fs::copy_file(l.folder / "granter.key", elsewhere / "granter.key");
        Instance other(granter(), elsewhere.path(), l.broker.url());
        REQUIRE(drive({&other}, [&] { return !other.running(); }));
        CHECK(other.failure().find("with another database") != std::string::npos);
        l.start_granter();
        REQUIRE(l.drive_all([&] { return l.ready(); }));
    });
}

TEST_CASE("ownership: an entry that is none keeps nobody from its name") {
    on_each_landscape([](Landscape& l) {
        for (const char* entry : {R"({"instance":7,"database":[],"epoch":"x","shards":"two"})",
                                  "no JSON", "[]", R"({"instance":{"instance":""}})"}) {
            CAPTURE(entry);
            l.granting->stop();
            bus::NatsClient(address_of(l.broker), "a stranger")
                .request_text("$KV.SAGA_OWNERS.granter", entry, 5s);
            l.start_granter();
            REQUIRE(l.drive_all([&] { return l.ready(); }));
        }
    });
}

TEST_CASE("ownership: an instance that finds a claim of another stops") {
    on_each_landscape([](Landscape& l) {
        const std::string body = nlohmann::json{
            {"instance", "somebody"},
            {"database", "x"},
            {"epoch", 99},
            {"where", "elsewhere"}}.dump();
        bus::NatsClient(address_of(l.broker), "a stranger")
            .request_text("$KV.SAGA_OWNERS.granter", body, 5s);
        l.broker.kill();  // it is asserted again at each connection
        l.broker.start();
        REQUIRE(l.drive_all([&] { return !l.granting->running(); }));
        CHECK(l.granting->failure().find("taken over (elsewhere)") != std::string::npos);
    });
}
