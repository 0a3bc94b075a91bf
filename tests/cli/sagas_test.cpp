// saga trace, ls, show, wait, watch and outbox, as their user runs them.
#include <doctest/doctest.h>

#include "tests/cli/town.hpp"

using namespace saga::testing;

TEST_CASE("sagas: one that completed, one that was undone, one that does not exist") {
    in_each_town([](Town& town) {
        town.ask("good", 50);
        town.ask("unlucky", 13);
        REQUIRE(town.drive_all([&] { return town.at_rest(); }));

        const Ran good = town.saga({"trace", "good"});
        CHECK(good.code == 0);
        for (const char* word : {"→ Asked", "→ Granted", "→ Checked", "■ Closed", "completed in"})
            CHECK_MESSAGE(has(good.out, word), good.out);
        CHECK(has(good.out, R"({"ticket":"good","amount":50})"));
        const Ran unlucky = town.saga({"trace", "unlucky"});
        CHECK(unlucky.code == 5);
        for (const char* word : {"✗ Rejected", "← Revoked", "■ GaveUp", "undone in"})
            CHECK_MESSAGE(has(unlucky.out, word), unlucky.out);

        CHECK(town.saga({"show", "good"}).code == 0);
        CHECK(town.saga({"show", "unlucky"}).code == 5);
        for (const char* command : {"show", "trace"}) {
            const Ran nobody = town.saga({command, "nobody"});
            CHECK(nobody.code == 3);
            CHECK(nobody.out.empty());
            CHECK(has(nobody.err, "the stream has no event of a saga nobody"));
            CHECK(lines(nobody.err) == 1);
        }
        const Ran none = town.saga({"show", "not/an/id"});
        CHECK(none.code == 2);
        CHECK(has(none.err, "is no saga id"));

        CHECK(town.json({"trace", "good"})["state"] == "completed");
        CHECK(town.json({"trace", "good"})["events"].size() == 4);
        const auto undone = town.json({"show", "unlucky"});
        CHECK(undone["state"] == "undone");
        CHECK(undone["failed_by"] == "Rejected");
    });
}

TEST_CASE("sagas: ls lists the latest, by state") {
    in_each_town([](Town& town) {
        CHECK(town.json({"ls"}).empty());
        CHECK(has(town.saga({"ls"}).err, "no saga"));
        town.ask("good", 50);
        town.ask("unlucky", 13);
        town.make_dead("hopeless");
        REQUIRE(town.drive_all([&] { return town.at_rest(); }));
        CHECK(town.json({"ls"}).size() == 3);
        const auto stuck = town.json({"ls", "--status", "stuck"});
        REQUIRE(stuck.size() == 1);
        CHECK(stuck[0]["saga"] == "hopeless");
        const auto undone = town.json({"ls", "--status", "undone", "--since", "5m"});
        REQUIRE(undone.size() == 1);
        CHECK(undone[0]["saga"] == "unlucky");
        const Ran ran = town.saga({"ls", "--limit", "1"});
        CHECK(ran.code == 0);
        CHECK(lines(ran.out) == 2);
        CHECK(has(ran.err, "1 completed, 1 undone, 1 stuck"));
        CHECK(has(ran.err, "next: saga dlq ls"));
        CHECK(town.saga({"show", "hopeless"}).code == 6);
        const Ran wrong = town.saga({"ls", "--status", "lost"});
        CHECK(wrong.code == 2);
        CHECK(has(wrong.err, "More: saga ls --help"));
    });
}

TEST_CASE("sagas: wait ends with the last word, or with its time") {
    in_each_town([](Town& town) {
        town.ask("good", 50);
        town.ask("unlucky", 13);
        const Ran good = town.saga({"wait", "good"});
        CHECK(good.code == 0);
        CHECK(has(good.out, "good completed in"));
        const Ran unlucky = town.saga({"wait", "unlucky"});
        CHECK(unlucky.code == 5);
        CHECK(has(unlucky.out, "GaveUp, because of Rejected"));
        CHECK(town.json({"wait", "unlucky"})["failed_by"] == "Rejected");
        const Ran late = town.saga({"wait", "later", "--timeout", "100ms"});
        CHECK(late.code == 4);
        CHECK(has(late.err, "later has not said its last word within 100 ms: see `saga trace"));
        CHECK(lines(late.err) == 1);
    });
}

TEST_CASE("sagas: watch shows events as they come, and services how they are") {
    in_each_town([](Town& town) {
        town.ask("good", 50);
        REQUIRE(town.drive_all([&] { return town.at_rest(); }));
        const Ran watched = town.saga({"watch", "--since", "1m", "--count", "4", "--json"});
        CHECK(watched.code == 0);
        CHECK(lines(watched.out) == 4);
        CHECK(has(watched.out, "test.auditor.Checked"));
        const auto services = town.json({"services"});
        REQUIRE(services.size() == 3);
        CHECK(services[0]["ready"] == true);
        const auto outbox = town.json({"outbox"});
        REQUIRE(outbox.size() == 3);
        for (const auto& each : outbox) CHECK(each["unsettled"] == 0);
        CHECK(has(town.saga({"outbox", "asker"}).out, "asker"));
        for (const char* command : {"services", "outbox"}) {
            const Ran nobody = town.saga({command, "nobody"});
            CHECK(nobody.code == 4);
            CHECK(has(nobody.out, "no answer"));
            CHECK(has(nobody.err, "nobody does not answer"));
            CHECK(town.saga({command, "asker", "nobody", "--json"}).code == 4);
        }
    });
}
