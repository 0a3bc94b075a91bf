// saga reconcile: where a service's outbox and the stream differ.
#include "saga/cli/reconcile.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/cli/town.hpp"

using namespace saga::testing;
using namespace saga::cli;
using nlohmann::ordered_json;

namespace {

constexpr std::int64_t kCreated = 77;

ordered_json row(std::int64_t seq, const std::string& id, std::uint64_t at,
                 const std::string& subject = "saga.payment.done.PaymentTaken.p07") {
    ordered_json made{{"seq", seq}, {"id", id}, {"saga", "s" + id}, {"subject", subject}};
    if (at != 0) made["stream_seq"] = at;
    return made;
}

std::vector<Difference> compared(Published published, std::vector<ordered_json> rows,
                                 std::int64_t created = kCreated, std::uint64_t cursor = 20) {
    ordered_json page{
        {"cursor", cursor}, {"stream_created_ns", created}, {"next_seq", 9}, {"rows", rows}};
    return differences(std::move(published), {9, cursor}, [&](std::int64_t) { return page; });
}

/// The stream holds 10 to 30.
Published published(std::unordered_map<std::string, Published::Event> events) {
    return {.events = std::move(events), .first_seq = 10, .last_seq = 30, .created_ns = kCreated};
}

}  // namespace

TEST_CASE("reconcile: tells what is unsent, lost and unknown from what is as it should be") {
    const auto found = compared(published({{"b", {15, "PaymentTaken", "sb"}},
                                           {"below", {16, "PaymentTaken", "pruned here"}},
                                           {"u2", {26, "PaymentTaken", "s2"}},
                                           {"u1", {25, "PaymentTaken", "s1"}}}),
                                {row(1, "trimmed", 9), row(2, "lost", 12), row(3, "b", 15),
                                 row(4, "unsent", 0), row(5, "letter", 0, "saga-dlq.payment.X.p00"),
                                 row(6, "read since", 31), row(9, "committed since", 0)});
    REQUIRE(found.size() == 4);
    CHECK(found[0].what == Difference::What::lost);
    CHECK(found[0].id == "lost");
    CHECK(found[0].event == "PaymentTaken");
    CHECK(found[0].saga == "slost");
    CHECK(found[0].stream_seq == 12);
    CHECK(found[1].what == Difference::What::unsent);
    CHECK(found[1].id == "unsent");
    CHECK(found[2].what == Difference::What::unknown);
    CHECK(found[2].id == "u1");
    CHECK(found[3].id == "u2");
}

TEST_CASE("reconcile: of another stream nothing that was read back counts") {
    const auto found = compared(published({}), {row(1, "a", 9), row(2, "b", 31)}, kCreated - 1);
    REQUIRE(found.size() == 2);
    CHECK(found[0].what == Difference::What::lost);
    CHECK(found[1].what == Difference::What::lost);
}

TEST_CASE("reconcile: what had been read back before the broker lost its tail is lost") {
    const auto found =
        compared(published({}), {row(1, "lost", 40), row(2, "read since", 41)}, kCreated, 40);
    REQUIRE(found.size() == 1);
    CHECK(found[0].what == Difference::What::lost);
    CHECK(found[0].id == "lost");
}

TEST_CASE("reconcile: a running service agrees; one whose stream was lost has all to publish") {
    in_each_town([](Town& town) {
        for (int i = 0; i < 3; ++i) town.ask("t" + std::to_string(i), 1);
        REQUIRE(town.drive_all([&] { return town.at_rest(); }));
        const Ran all = town.saga({"reconcile"});
        CHECK_MESSAGE(all.code == 0, all.err);
        CHECK(lines(all.out) == 3);
        CHECK(has(all.out, "granter: outbox and stream agree"));
        const std::vector<std::string> of_file{"reconcile", "granter", "--data",
                                               town.folder.path()};
        CHECK(has(town.saga(of_file).err, "is in use by another process"));
        town.granting->stop();
        CHECK(has(town.saga(of_file).out, "granter: outbox and stream agree"));
        town.asking->stop();
        town.auditing->stop();
        town.request("$JS.API.STREAM.DELETE.SAGA", "");
        town.broker.bootstrap();
        const Ran lost = town.saga(of_file);
        CHECK(lines(lost.out) == 1 + 3);
        CHECK(has(lost.out, "lost, to be published again"));
        CHECK(has(lost.out, "Granted"));
    });
}

TEST_CASE("reconcile: an older database does not know what the stream has") {
    in_each_town([](Town& town) {
        town.ask("t0", 1);
        REQUIRE(town.drive_all([&] { return town.at_rest(); }));
        const std::string path = town.json({"backup", "granter"})["path"];
        town.ask("t1", 1);
        REQUIRE(town.drive_all([&] { return town.at_rest(); }));
        const auto found = town.json({"reconcile", "granter", "--data", path});
        CHECK(found["what"] == "unknown to the database, to be caught up");
        CHECK(found["saga"] == "t1");
        CHECK(found["event"] == "Granted");
    });
}
