// What a first user of a service is told when it cannot run: one sentence, what to do, code 1.
#include <doctest/doctest.h>

#include "tests/cli/town.hpp"

using namespace saga::testing;

namespace {

Program::Launch asker_on(const Town& town, const std::string& data) {
    return {.path = asker_program(),
            .args = {"--data", data},
            .env = plain_env(town.folder.path(), town.broker.url())};
}

/// The one line on stderr that begins with its name; what else is there are lines of its log.
void refuses(const Ran& ran, const std::string& what, const std::string& to_do) {
    CAPTURE(ran.err);
    CHECK(ran.code == 1);
    const auto at = ran.err.rfind("asker: ");
    REQUIRE(at != std::string::npos);
    const std::string said = ran.err.substr(at);
    CHECK(lines(said) == 1);
    CHECK(has(said, what));
    CHECK(has(said, to_do));
}

template <class Test>
void with_asker(Test test) {
    for (const std::string& binary : servers()) {
        CAPTURE(binary);
        Town town(binary);
        test(town);
    }
}

}  // namespace

TEST_CASE("service: its database is used by another process") {
    with_asker([](Town& town) {
        Program first(asker_on(town, town.folder.path()));
        REQUIRE(eventually([&] { return has(first.ran().err, " info ready"); }));
        refuses(run_to_end(asker_on(town, town.folder.path())), "asker.db", "another process");
        first.signal(15);
        REQUIRE(eventually([&] { return first.ended(); }));
        CHECK(first.ran().code == 0);
    });
}

TEST_CASE("service: a copy of its database, while the original runs") {
    with_asker([](Town& town) {
        Program first(asker_on(town, town.folder / "one"));
        REQUIRE(eventually([&] { return has(first.ran().err, " info ready"); }));
        std::filesystem::copy(town.folder / "one", town.folder / "two");
        refuses(run_to_end(asker_on(town, town.folder / "two")), "asker runs already", "stop it");
    });
}

TEST_CASE("service: a new database under a name that had another one") {
    with_asker([](Town& town) {
        {
            Program first(asker_on(town, town.folder / "one"));
            REQUIRE(eventually([&] { return has(first.ran().err, " info ready"); }));
        }
        refuses(run_to_end(asker_on(town, town.folder / "two")), "with another database",
                "--rebuild");
    });
}

TEST_CASE("service: a stream that exists with other settings") {
    with_asker([](Town& town) {
        auto config = town.request("$JS.API.STREAM.INFO.SAGA", "")["config"];
        config["discard"] = "old";
        REQUIRE_FALSE(town.request("$JS.API.STREAM.UPDATE.SAGA", config.dump()).contains("error"));
        Program program(asker_on(town, town.folder.path()));
        REQUIRE(eventually([&] {
            return program.ended() ||
                   has(program.ran().err, R"(discard is "old" and must be "new")");
        }));
        CHECK_FALSE(has(program.ran().err, " info ready"));
        CHECK(has(program.ran().err, R"(discard is "old" and must be "new")"));
        CHECK(has(program.ran().err, "saga bootstrap"));
    });
}

TEST_CASE("service: a shard that is to move all shards is told that it is one or the other") {
    const TempFolder folder;
    auto env = plain_env(folder.path(), "nats://127.0.0.1:1");
    const auto ran = [&](const std::vector<std::string>& args) {
        return run_to_end({.path = asker_program(), .args = args, .env = env, .input = {}});
    };
    const Ran both = ran({"--data", folder.path(), "--reshard", "2", "--shard", "0/2"});
    CHECK(both.code == 2);
    CHECK_MESSAGE(has(both.err, "--shard excludes --reshard"), both.err);
    env.emplace_back("SAGA_SHARD=0/2");
    CHECK(ran({"--data", folder.path(), "--reshard", "2"}).code == 2);
}

TEST_CASE("service: no broker, and no stream, are said and waited for") {
    const TempFolder folder;
    Program alone({.path = asker_program(),
                   .args = {"--data", folder.path()},
                   .env = plain_env(folder.path(), "nats://127.0.0.1:1")});
    REQUIRE(eventually([&] { return has(alone.ran().err, "not ready: "); }));
    CHECK_MESSAGE(has(alone.ran().err, "127.0.0.1:1"), alone.ran().err);
    alone.signal(15);
    REQUIRE(eventually([&] { return alone.ended(); }));
    CHECK(alone.ran().code == 0);
    Broker bare(servers().front());
    Program early({.path = asker_program(),
                   .args = {"--data", folder / "early"},
                   .env = plain_env(folder.path(), bare.url())});
    REQUIRE(eventually([&] { return has(early.ran().err, "saga bootstrap"); }));
    bare.bootstrap();
    CHECK(eventually([&] { return has(early.ran().err, " info ready"); }));
}
