// A restored database whose tables are not what they were: what it did once comes out otherwise.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "tests/integration/stage.hpp"

using namespace saga;
using namespace saga::testing;
using nlohmann::json;

namespace {

json say(Landscape& l, const std::string& verb, const json& body) {
    return json::parse(request(l.broker, l.all(), "saga-ctl.granter." + verb, body.dump()));
}

void change(Landscape& l, const char* sql) {
    store::Store store({.path = l.file("granter"), .vfs = {}}, {});
    store.db().exec(sql);
}

std::int64_t parked(Landscape& l) {
    return l.granting->value("SELECT count(*) FROM parked");
}

std::int64_t dead(Landscape& l) {
    return l.granting->value("SELECT count(*) FROM parked WHERE state = 6");
}

/// The only dead letter there is, as operators see it.
json letter(Landscape& l) {
    const json all = say(l, "dead", json::object());
    REQUIRE(all.size() == 1);
    return all.front();
}

/// The id of a saga's dead letter, whose grant the world knows and these tables refuse.
template <class Test>
void with_unlike(int amount, Test test) {
    on_each_landscape([&](Landscape& l) {
        l.ask("before", 1);
        REQUIRE(l.drive_all([&] { return ended(*l.asking) == 1 && l.at_rest(); }));
        save(l, *l.granting);
        l.ask("t", amount);
        REQUIRE(l.drive_all([&] { return ended(*l.asking) == 2 && l.at_rest(); }));
        const Counted was = count_stream(l.broker);
        l.granting->kill();
        restore(l, "granter");
        change(l, "INSERT INTO grants VALUES ('bogus', 100)");
        l.start_granter();
        REQUIRE(l.drive_all([&] { return l.granting->ready() && dead(l) == 1; }));
        const json found = letter(l);
        CHECK(found["saga"] == "t");
        CHECK(found["what"] == "step");
        CHECK(found["step"] == "grant");
        CHECK(found["reason"].get<std::string>().find("unlike") != std::string::npos);
        CHECK(l.granting->value("SELECT count(*) FROM grants WHERE ticket = 't'") == 0);
        test(l, found["id"].get<std::string>());
        REQUIRE(l.drive_all([&] { return l.at_rest(); }));
        CHECK(say(l, "dead", json::object()).empty());
        CHECK(l.granting->value("SELECT count(*) FROM recorded") == 0);
        // The world has heard nothing twice, and nothing new but the operator's words.
        Counted is = count_stream(l.broker);
        for (const auto& each : is.ids) CHECK_MESSAGE(each.second == 1, each.first);
        is.names.erase("OperatorActed");
        CHECK(is.names == was.names);
        // Its own events are known after another start, too.
        l.granting->kill();
        l.start_granter();
        REQUIRE(l.drive_all([&] { return l.at_rest(); }));
        l.ask("next", 0);
        REQUIRE(l.drive_all([&] { return ended(*l.asking) == 3 && l.at_rest(); }));
    });
}

void operate(Landscape& l, const std::string& verb, const std::string& id) {
    CHECK(say(l, verb, {{"id", id}, {"reason", "looked at"}}).contains("accepted"));
}

}  // namespace

TEST_CASE("record: mended and retried, it comes out as it is on record") {
    with_unlike(2, [](Landscape& l, const std::string& id) {
        l.granting->store().db().exec("DELETE FROM grants WHERE ticket = 'bogus'");
        operate(l, "retry", id);
        REQUIRE(l.drive_all([&] { return parked(l) == 0; }));
        CHECK(l.granting->value("SELECT amount FROM grants WHERE ticket = 't'") == 2);
        CHECK(l.granting->value("SELECT count(*) FROM journal WHERE state = 2") == 2);
    });
}

TEST_CASE("record: retried as it is, it is not decided again") {
    with_unlike(2, [](Landscape& l, const std::string& id) {
        operate(l, "retry", id);
        REQUIRE(l.drive_all([&] {
            return l.granting->value("SELECT max(attempts) FROM parked") >= 2 || parked(l) == 0;
        }));
        CHECK(l.granting->value("SELECT count(*) FROM sagas WHERE failed_by != ''") == 0);
        CHECK(l.granting->value("SELECT count(*) FROM journal WHERE state = 3") == 0);
        REQUIRE(parked(l) == 1);
        l.granting->store().db().exec("DELETE FROM grants WHERE ticket = 'bogus'");
        REQUIRE(l.drive_all([&] { return parked(l) == 0; }));
        CHECK(l.granting->value("SELECT amount FROM grants WHERE ticket = 't'") == 2);
    });
}

TEST_CASE("record: skipped or dropped, it never runs") {
    for (const char* verb : {"skip", "drop"}) {
        with_unlike(2, [&](Landscape& l, const std::string& id) {
            operate(l, verb, id);
            REQUIRE(l.drive_all([&] { return parked(l) == 0; }));
            CHECK(l.granting->value("SELECT count(*) FROM grants WHERE ticket = 't'") == 0);
            CHECK(l.granting->value("SELECT count(*) FROM journal WHERE state = 7") == 1);
            l.granting->store().db().exec("DELETE FROM grants WHERE ticket = 'bogus'");
        });
    }
}
