// I1 and I2: what one transaction writes, and how often.
#include <fmt/format.h>

#include "tests/verify/damage.hpp"
#include "tests/verify/troubled.hpp"

using namespace saga::testing;

TEST_CASE("verify: I1 refutes an undo of a step that stands") {
    const auto found = damaged(small_village(), "granter",
                               "UPDATE journal SET state = 2 WHERE outcome = 'Granted Revoked'");
    CHECK(refutes(found, "I1"));
    CHECK(found.front().saga == "undone-1");
    CHECK(found.front().what == "the step grant is done, and published an undo");
}
TEST_CASE("verify: I1 refutes a failure that left a success, and a tombstone with an effect") {
    CHECK(refutes(damaged(shop_village(), "payment",
                          "UPDATE journal SET state = 3 WHERE outcome = 'PaymentTaken'"),
                  "I1"));
    CHECK(refutes(damaged(shop_village(), "shipping",
                          "UPDATE journal SET state = 7 WHERE outcome = 'OrderShipped'"),
                  "I1"));
}
TEST_CASE("verify: I1 refutes a step that ran twice") {
    CHECK(refutes(damaged(small_village(), "granter",
                          "INSERT INTO outbox (event_id, saga, subject, envelope, at, stream_seq) "
                          "SELECT randomblob(16), saga, subject, envelope, at, stream_seq "
                          "FROM outbox WHERE subject LIKE '%.Granted.%' LIMIT 1"),
                  "I1"));
    CHECK(refutes(damaged(small_village(), "granter",
                          "INSERT INTO journal SELECT saga, step, event_id, event_id, state, nth, "
                          "forward, outcome, result FROM journal WHERE outcome = 'Granted'"),
                  "I1"));
}

TEST_CASE("verify: I2 refutes a journal row without its event, and an event without its row") {
    CHECK(refutes(
        damaged(small_village(), "granter", "DELETE FROM outbox WHERE subject LIKE '%.Revoked.%'"),
        "I2"));
    CHECK(refutes(damaged(small_village(), "granter", "DELETE FROM journal WHERE saga = 1"), "I2"));
    CHECK(refutes(damaged(small_village(), "asker", "DELETE FROM commands WHERE saga = 1"), "I2"));
    CHECK(refutes(damaged(small_village(), "asker",
                          "UPDATE commands SET event_id = randomblob(16) WHERE saga = 1"),
                  "I2"));
}
TEST_CASE("verify: I2 lets a record stand that nothing leads to, once it is a dead letter") {
    constexpr auto kNobodyGave = "DELETE FROM commands WHERE saga = 1;";
    const auto told = [&](const std::string& step) {
        return damaged(
            small_village(), "asker",
            kNobodyGave + fmt::format("INSERT INTO aside (event_id, saga_id, step, reason, "
                                      "subject, message, stream_seq, stored_at, at) "
                                      "SELECT event_id, 'held-1', '{}', 'on record', subject, "
                                      "envelope, stream_seq, at, at FROM outbox "
                                      "WHERE saga = 1 AND subject LIKE '%.Asked.%'",
                                      step));
    };
    CHECK_FALSE(has(told(""), "I2"));
    CHECK(refutes(told("ask"), "I2"));  // a step that did not take it says nothing of its origin
}
TEST_CASE("verify: I2 refutes rows of a saga that is not there") {
    CHECK(refutes(damaged(small_village(), "granter", "DELETE FROM sagas WHERE id = 'held-1'"),
                  "I2"));
    CHECK(refutes(damaged(shop_village(), "inventory", "INSERT INTO locks VALUES ('tea', 4711)"),
                  "I2"));
}
TEST_CASE("verify: I2 refutes a step that waits for nothing, and a call that nobody awaits") {
    CHECK(refutes(damaged(shop_village(), "payment",
                          "UPDATE journal SET state = 1 WHERE outcome = 'PaymentTaken'"),
                  "I2"));
    CHECK(refutes(damaged(shop_village(), "payment",
                          "UPDATE journal SET state = 4 WHERE outcome LIKE '% PaymentRefunded'"),
                  "I2"));
    CHECK(refutes(damaged(shop_village(), "payment",
                          "INSERT INTO calls (saga, step, run, part, question, attempts, reason) "
                          "VALUES (1, 'take', X'', 1, X'', 0, '')"),
                  "I2"));
    CHECK(refutes(
        damaged(shop_village(), "payment", "INSERT INTO timers VALUES (1, 'fetch', X'', 0, 0)"),
        "I2"));
}
