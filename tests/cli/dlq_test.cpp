// saga dlq: what services gave up on, and an operator's word about it.
#include <doctest/doctest.h>

#include "tests/cli/town.hpp"

using namespace saga::testing;

namespace {

std::string only_letter(Town& town) {
    const auto letters = town.json({"dlq", "ls"});
    REQUIRE(letters.size() == 1);
    return letters[0]["id"];
}

}  // namespace

TEST_CASE("dlq: a retry says what came of it, and a saga that waited goes on") {
    in_each_town([](Town& town) {
        CHECK(town.json({"dlq", "ls"}).empty());
        CHECK(has(town.saga({"dlq", "ls"}).err, "0 dead letters"));
        town.make_dead("t1");
        const std::string id = only_letter(town);
        CHECK(id.starts_with("granter/"));
        CHECK(has(town.saga({"dlq", "ls", "granter"}).out, "UNIQUE constraint failed"));
        const auto shown = town.json({"dlq", "show", id});
        CHECK(shown["saga"] == "t1");
        CHECK(shown["message"]["type"] == "test.asker.Asked");
        CHECK(shown["message"]["payload"]["amount"] == 1);
        CHECK(has(town.saga({"dlq", "show", id}).err, "saga dlq retry " + id));

        const Ran again = town.saga({"dlq", "retry", id, "--reason", "let us see"});
        CHECK(again.code == 1);
        CHECK(has(again.err, "failed again"));
        town.use_up();  // so that it does not end by itself
        town.mend("t1");
        const auto left = town.json({"dlq", "ls", "--all"});
        REQUIRE(left.size() == 1);
        const Ran done = town.saga({"dlq", "retry", left[0]["id"], "--reason", "it is mended"});
        CHECK_MESSAGE(done.code == 0, done.err);
        CHECK(town.saga({"wait", "t1"}).code == 0);
        CHECK(town.json({"dlq", "ls", "--all"}).empty());
    });
}

TEST_CASE("dlq: skip and drop are obeyed") {
    in_each_town([](Town& town) {
        for (const char* verb : {"skip", "drop"}) {
            const std::string saga = std::string("never-") + verb;
            town.make_dead(saga);
            const std::string id = only_letter(town);
            const Ran no_reason = town.saga({"dlq", verb, id});
            CHECK(no_reason.code == 2);
            CHECK(has(no_reason.err, "--reason is required"));
            const Ran ran = town.saga({"dlq", verb, id, "--reason", "nobody wants it"});
            CHECK_MESSAGE(ran.code == 0, ran.err);
            CHECK(has(ran.out, verb == std::string("skip") ? "is skipped" : "is dropped"));
            CHECK(has(ran.err, "next: saga trace " + saga));
        }
        CHECK(town.json({"dlq", "ls"}).empty());
    });
}

TEST_CASE("dlq: junk stands aside until it is dropped") {
    in_each_town([](Town& town) {
        town.publish_junk();
        const auto letters = town.json({"dlq", "ls", "granter"});
        REQUIRE(letters.size() == 1);
        const std::string id = letters[0]["id"];
        CHECK(has(id, "granter/aside-"));
        const auto shown = town.json({"dlq", "show", id});
        CHECK(shown["message"].contains("error"));
        CHECK(town.saga({"dlq", "drop", id, "--reason", "junk of a test"}).code == 0);
        CHECK(town.json({"dlq", "ls", "granter"}).empty());
    });
}

TEST_CASE("dlq: what is no dead letter, and who does not answer") {
    in_each_town([](Town& town) {
        const Ran unknown = town.saga({"dlq", "show", "granter/17"});
        CHECK(unknown.code == 3);
        CHECK(lines(unknown.err) == 1);
        const Ran junk = town.saga({"dlq", "show", "granter"});
        CHECK(junk.code == 2);
        CHECK(has(junk.err, "is no dead letter's id"));
        const Ran nobody = town.saga({"dlq", "retry", "nobody/1", "--reason", "x"});
        CHECK(nobody.code == 4);
        CHECK(has(nobody.err, "nobody does not answer: is it running?"));
        CHECK(town.saga({"dlq", "ls", "nobody"}).code == 4);
    });
}
