// I10, I12 and I13: the position, bounds, what was given up.
#include <filesystem>
#include <nlohmann/json.hpp>

#include "saga/store/store.hpp"
#include "tests/verify/damage.hpp"
#include "tests/verify/troubled.hpp"

using namespace saga;
using namespace saga::testing;

namespace {
const verify::Options kMoving{.at_rest = false};
}

TEST_CASE("verify: I10 refutes a cursor behind what was settled, and beyond the stream") {
    CHECK(refutes(damaged(small_village(), "asker", "UPDATE cursor SET seq = 2"), "I10"));
    CHECK(refutes(damaged(small_village(), "asker", "UPDATE cursor SET seq = seq + 1"), "I10"));
    CHECK(refutes(damaged(small_village(), "auditor", "UPDATE cursor SET seq = 0"), "I10"));
}
TEST_CASE("verify: I10 refutes a cursor beyond an event that left no trace") {
    CHECK(refutes(
        damaged(small_village(), "auditor", "DELETE FROM journal WHERE saga = 1", kMoving), "I10"));
    CHECK(refutes(damaged(small_village(), "reader", "DELETE FROM inbox WHERE saga = 1", kMoving),
                  "I10"));
}
TEST_CASE("verify: I10 refutes a checkpoint of another history, once all is at rest") {
    constexpr auto kOther = "UPDATE checkpoints SET stored_at = stored_at + 1";
    CHECK(refutes(damaged(small_village(), "granter", kOther), "I10"));
    CHECK(damaged(small_village(), "granter", kOther, kMoving).empty());
}
TEST_CASE("verify: while a broker that went back is not looked at yet, nothing is wrong") {
    CHECK(changed(
              small_village(), [](verify::Landscape& all) { all.stream.resize(3); }, kMoving)
              .empty());
}

TEST_CASE("verify: I12 refutes what is tried for ever") {
    CHECK(refutes(
        damaged(troubled_village(), "granter", "UPDATE parked SET state = 1, attempts = 14"),
        "I12"));
    CHECK(refutes(
        damaged(troubled_village(), "granter", "UPDATE parked SET state = 3, attempts = 40"),
        "I12"));
}
TEST_CASE("verify: I12 refutes a log that grows, and sagas that stay") {
    const auto folder = std::filesystem::temp_directory_path() / "saga-verify-wal";
    std::filesystem::remove_all(folder);
    std::filesystem::create_directory(folder);
    {
        store::Store store({.path = folder / "asker.db", .vfs = {}}, {});
        verify::Landscape one;
        one.services.push_back({"asker", store.db().handle(), nlohmann::json::object()});
        CHECK(verify::check(one, {}).empty());
        verify::Options small;
        small.max_wal_bytes = 1;
        CHECK(refutes(verify::check(one, small), "I12"));
    }
    std::filesystem::remove_all(folder);

    verify::Options brief;
    brief.retention = std::chrono::hours(1);
    brief.max_leftovers = 0;
    CHECK(refutes(verify::check(troubled_village().landscape(), brief), "I12"));
    CHECK(verify::check(small_village().landscape(), brief).empty());
}

TEST_CASE("verify: I13 refutes what was given up without a reason, or without a word") {
    CHECK(refutes(damaged(troubled_village(), "granter", "UPDATE parked SET reason = ''"), "I13"));
    CHECK(refutes(damaged(troubled_village(), "granter", "UPDATE aside SET reason = ''"), "I13"));
    CHECK(refutes(damaged(troubled_village(), "granter",
                          "DELETE FROM outbox WHERE subject LIKE 'saga-dlq.%'"),
                  "I13"));
}
TEST_CASE("verify: I13 refutes a forged message that was handled, or passed over in silence") {
    CHECK(refutes(damaged(troubled_village(), "reader", "DELETE FROM aside"), "I13"));
    verify::Landscape all = troubled_village().landscape();
    const auto read = core::decode(find(all, "saga.auditor.done.Checked.p00").bytes);
    std::string id = std::get<core::Envelope>(read).id.text();
    std::erase(id, '-');
    CHECK(refutes(damaged(troubled_village(), "reader",
                          "INSERT INTO inbox VALUES (1, X'" + id + "', '*', 'Checked')"),
                  "I13"));
}
