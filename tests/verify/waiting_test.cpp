// I8, I9 and I11: what waits, what clients were told, who holds a lock.
#include "tests/landscape/landscape.hpp"
#include "tests/verify/damage.hpp"
#include "tests/verify/troubled.hpp"

using namespace saga;
using namespace saga::testing;
using verify::Told;

TEST_CASE("verify: I8 refutes a saga that goes no further") {
    Village village({asker(), granter(), auditor()});
    village.submit("asker", "ask", detail::pack(test::Ask{.ticket = "open-1", .amount = 20}));
    CHECK(refutes(verify::check(village.landscape(), {}), "I8"));
    village.settle();
    CHECK(verify::check(village.landscape(), {}).empty());
}
TEST_CASE("verify: I8 refutes a call that has no answer, and a timer that is overdue") {
    Village village({asker(), granter(std::chrono::minutes(1)), calling_auditor()});
    village.command("asker", "ask", test::Ask{.ticket = "open-1", .amount = 20});
    CHECK(refutes(verify::check(village.landscape(), {}), "I8"));
    village.exec("granter", "UPDATE timers SET due = 1");
    bool overdue = false;
    for (const auto& each : verify::check(village.landscape(), {}))
        overdue = overdue || each.what == "a timer of the step grant is overdue";
    CHECK(overdue);
}
TEST_CASE("verify: I8 refutes what is parked, unless it is dead") {
    Village& village = troubled_village();
    CHECK(refutes(damaged(village, "granter", "UPDATE parked SET state = 1, attempts = 3"), "I8"));
    CHECK(refutes(
        damaged(small_village(), "granter", "INSERT INTO timers VALUES (1, 'grant', X'', 0, 0)"),
        "I8"));
}

TEST_CASE("verify: I9 refutes an answer that does not hold") {
    const auto told = [](const char* saga, Told told) {
        return changed(small_village(), [&](verify::Landscape& all) {
            all.answers.push_back({"asker", "ask", saga, told});
        });
    };
    CHECK(refutes(told("never-1", Told::accepted), "I9"));
    CHECK(told("never-1", Told::unknown).empty());
    CHECK(told("never-1", Told::refused).empty());
    CHECK(refutes(changed(small_village(),
                          [](verify::Landscape& all) {
                              for (verify::Answer& each : all.answers) each.told = Told::refused;
                          }),
                  "I9"));
    CHECK(refutes(damaged(small_village(), "asker", "DELETE FROM commands WHERE saga = 1"), "I9"));
}
TEST_CASE("verify: I9 refutes a command whose event is gone") {
    CHECK(refutes(damaged(small_village(), "asker",
                          "UPDATE commands SET event_id = randomblob(16) WHERE saga = 1"),
                  "I9"));
}

TEST_CASE("verify: I11 refutes a queue that somebody left, and one whom nobody would wake") {
    CHECK(refutes(damaged(small_village(), "granter",
                          "INSERT INTO lock_queue SELECT 'tea', 17, saga FROM sagas"
                          " WHERE id = 'held-1'"),
                  "I11"));
    CHECK(has(damaged(troubled_village(), "granter", "UPDATE parked SET state = 3"), "I11"));
}

TEST_CASE("verify: I11 refutes a lock of a saga that has ended, or is undone") {
    CHECK(refutes(damaged(small_village(), "granter",
                          "INSERT INTO locks SELECT 'tea', saga FROM sagas WHERE id = 'held-1'"),
                  "I11"));
    CHECK(refutes(damaged(small_village(), "granter",
                          "INSERT INTO locks SELECT 'tea', saga FROM sagas WHERE id = 'undone-1'"),
                  "I11"));
    CHECK_FALSE(has(damaged(troubled_village(), "granter",
                            "INSERT INTO locks SELECT 'tea', saga FROM sagas WHERE id = 'dead-1'"),
                    "I11"));
}
