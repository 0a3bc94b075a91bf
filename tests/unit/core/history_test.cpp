#include "saga/core/history.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "saga/core/limits.hpp"
#include "tests/unit/property.hpp"

using namespace saga;
using namespace saga::core;
using saga::test::counterexample;
using std::chrono::nanoseconds;

namespace {

StoreTime at(std::int64_t ns) {
    return StoreTime(nanoseconds(ns));
}
Checkpoint checkpoint(std::uint64_t seq) {
    return {.seq = seq, .stored_at = at(static_cast<std::int64_t>(seq)), .id = {}};
}
EventId id(std::uint8_t last) {
    EventId id;
    id.bytes[15] = last;
    return id;
}

}  // namespace

TEST_CASE("checkpoints: the last ones are all kept, in order") {
    Checkpoints checkpoints;
    CHECK_FALSE(checkpoints.newest());
    for (std::uint64_t seq = 1; seq <= 1'000; ++seq) checkpoints.add(checkpoint(seq));
    CHECK(checkpoints.newest() == checkpoint(1'000));
    for (std::uint64_t back = 0; back < kRecentCheckpoints; ++back)
        CHECK(checkpoints.newest_below(1'001 - back) == checkpoint(1'000 - back));
    CHECK(std::is_sorted(checkpoints.all().begin(), checkpoints.all().end(),
                         [](auto& a, auto& b) { return a.seq < b.seq; }));
    CHECK(checkpoints.all().front() == checkpoint(1));
    CHECK(checkpoints.all().size() < 2 * kRecentCheckpoints);
}

TEST_CASE("checkpoints: what is superfluous is told once, and is what is no longer kept") {
    Checkpoints checkpoints;
    std::vector<std::uint64_t> gone;
    for (std::uint64_t seq = 1; seq <= 1'000; ++seq) {
        checkpoints.add(checkpoint(seq));
        for (const std::uint64_t each : checkpoints.take_superfluous()) gone.push_back(each);
    }
    CHECK(checkpoints.take_superfluous().empty());
    std::vector<std::uint64_t> all = gone;
    for (const Checkpoint& each : checkpoints.all()) all.push_back(each.seq);
    std::sort(all.begin(), all.end());
    CHECK(all.size() == 1'000);
    CHECK(std::adjacent_find(all.begin(), all.end()) == all.end());
}

TEST_CASE("checkpoints: after a rewind those above are forgotten, and their numbers come again") {
    Checkpoints checkpoints;
    for (std::uint64_t seq = 10; seq <= 100; seq += 10) checkpoints.add(checkpoint(seq));
    checkpoints.forget_above(55);
    CHECK(checkpoints.newest() == checkpoint(50));
    checkpoints.forget_above(50);
    CHECK(checkpoints.newest() == checkpoint(50));
    const Checkpoint again{.seq = 60, .stored_at = at(999), .id = id(1)};
    checkpoints.add(again);
    CHECK(checkpoints.newest() == again);
    checkpoints.forget_above(0);
    CHECK_FALSE(checkpoints.newest());
    checkpoints.add(checkpoint(1));
    CHECK(checkpoints.newest() == checkpoint(1));
}

TEST_CASE("checkpoints: the newest below a number is not the one there") {
    Checkpoints checkpoints;
    CHECK_FALSE(checkpoints.newest_below(100));
    for (std::uint64_t seq = 10; seq <= 100; seq += 10) checkpoints.add(checkpoint(seq));
    CHECK(checkpoints.newest_below(1'000) == checkpoint(100));
    CHECK(checkpoints.newest_below(100) == checkpoint(90));
    CHECK(checkpoints.newest_below(91) == checkpoint(90));
    CHECK(checkpoints.newest_below(11) == checkpoint(10));
    CHECK_FALSE(checkpoints.newest_below(10));
}

TEST_CASE("checkpoints: however far back, there is one not much further back, and few in all") {
    const std::string against =
        counterexample([](const std::vector<std::uint16_t>& gaps, std::uint8_t spread) {
            Checkpoints checkpoints;
            std::vector<std::uint64_t> seqs;
            std::uint64_t seq = 0;
            for (int i = 0; i < 2'000; ++i) {
                seq += 1 + (gaps.empty() ? 0u : gaps[static_cast<std::size_t>(i) % gaps.size()]) %
                               (1u + spread);
                checkpoints.add(checkpoint(seq));
                seqs.push_back(seq);
            }
            RC_ASSERT(checkpoints.all().size() < 2 * kRecentCheckpoints);
            for (const std::uint64_t lost : seqs) {
                const auto found = checkpoints.newest_below(lost + 1);
                RC_ASSERT(found.has_value());
                RC_ASSERT(seq - found->seq <= 10 * (seq - lost));
            }
        });
    CHECK(against == "");
}

TEST_CASE("history: what STREAM.INFO says of where we are") {
    struct Row {
        const char* what;
        StreamState stream;
        Position position;
        Verdict verdict;
    };
    const Row rows[]{
        {"never read", {at(5), 1, 9, 0}, {}, Verdict::sound},
        {"never read, history gone", {at(5), 7, 9, 2}, {}, Verdict::sound},
        {"at its head", {at(5), 1, 9, 0}, {at(5), 9, 0}, Verdict::sound},
        {"behind", {at(5), 1, 9, 0}, {at(5), 3, 0}, Verdict::sound},
        {"at the beginning", {at(5), 1, 9, 0}, {at(5), 0, 0}, Verdict::sound},
        {"empty, never had anything", {at(5), 1, 0, 0}, {at(5), 0, 0}, Verdict::sound},
        {"another stream", {at(6), 1, 9, 0}, {at(5), 3, 0}, Verdict::remade},
        {"another stream, shorter", {at(6), 1, 1, 0}, {at(5), 3, 0}, Verdict::remade},
        {"lost its tail", {at(5), 1, 8, 0}, {at(5), 9, 0}, Verdict::went_back},
        {"lost everything", {at(5), 1, 0, 0}, {at(5), 9, 0}, Verdict::went_back},
        {"lost its tail and something before", {at(5), 1, 8, 1}, {at(5), 9, 0}, Verdict::hole},
        {"lost its tail, and whether a hole is new cannot be told",
         {at(5), 1, 8, 1},
         {at(5), 9, 1},
         Verdict::hole},
        {"lost its tail, and nothing else",
         {at(5), 1, 8, 1, {3}},
         {at(5), 9, 1, {3}},
         Verdict::went_back},
        {"lost its tail with a hole in it, and something before: as many as were known",
         {at(5), 1, 8, 1, {2}},
         {at(5), 7, 1, {7}},
         Verdict::hole},
        {"a hole", {at(5), 1, 9, 1}, {at(5), 9, 0}, Verdict::hole},
        {"a hole that is known", {at(5), 1, 9, 1}, {at(5), 9, 1}, Verdict::sound},
        {"another hole", {at(5), 1, 9, 2}, {at(5), 9, 1}, Verdict::hole},
        {"trimmed by age below us", {at(5), 4, 9, 0}, {at(5), 5, 0}, Verdict::sound},
        {"trimmed by age up to us", {at(5), 6, 9, 0}, {at(5), 5, 0}, Verdict::sound},
        {"trimmed by age beyond us", {at(5), 7, 9, 0}, {at(5), 5, 0}, Verdict::history_lost},
        {"trimmed by age to nothing, all read", {at(5), 10, 9, 0}, {at(5), 9, 0}, Verdict::sound},
        {"trimmed by age to nothing, not all read",
         {at(5), 10, 9, 0},
         {at(5), 8, 0},
         Verdict::history_lost},
    };
    for (const Row& row : rows) {
        CAPTURE(row.what);
        CHECK(judge(row.stream, row.position) == row.verdict);
    }
}

TEST_CASE("history: the lowest hole that is new, or filled, is the one to go back behind") {
    const Position known{at(5), 9, 2, {3, 6}};
    CHECK(changed_hole({at(5), 1, 9, 2, {3, 6}}, known) == 0);
    CHECK(changed_hole({at(5), 1, 9, 3, {3, 5, 6}}, known) == 5);
    CHECK(changed_hole({at(5), 1, 9, 1, {6}}, known) == 3);  // an older copy has it
    CHECK(changed_hole({at(5), 1, 9, 2, {2, 6}}, known) == 2);
    CHECK(changed_hole({at(5), 1, 5, 1, {3}}, known) == 0);     // the other one went with the tail
    CHECK(changed_hole({at(5), 4, 9, 1, {6}}, known) == 0);     // age took the other one
    CHECK(changed_hole({at(5), 1, 9, 4, {3, 6}}, known) == 3);  // of so many that they are counted
    CHECK(changed_hole({at(5), 2, 9, 4, {}}, known) == 2);
}

TEST_CASE("history: a checkpoint holds where the same event was stored at the same time") {
    const Checkpoint checkpoint{.seq = 7, .stored_at = at(100), .id = id(1)};
    CHECK(holds(checkpoint, at(100), id(1)));
    CHECK_FALSE(holds(checkpoint, at(101), id(1)));  // published again after a rollback
    CHECK_FALSE(holds(checkpoint, at(100), id(2)));
    CHECK_FALSE(holds(checkpoint, at(100), {}));
}

TEST_CASE("history: what was trimmed cannot be looked at") {
    const StreamState stream{.first_seq = 7, .last_seq = 9};
    CHECK_FALSE(can_look_at(checkpoint(6), stream));
    CHECK(can_look_at(checkpoint(7), stream));
}
