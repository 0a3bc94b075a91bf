#include "saga/core/outgoing.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "tests/unit/property.hpp"

using namespace saga;
using core::Outgoing;
using saga::test::counterexample;

namespace {

constexpr std::size_t kAll = 1'000;

void add(Outgoing& outgoing, std::int64_t seq, std::int64_t saga) {
    outgoing.add({.seq = seq, .saga = saga});
}

/// All that may go now, in order: "1 3 4".
std::string sends(Outgoing& outgoing) {
    std::string all;
    while (const auto seq = outgoing.next()) all += (all.empty() ? "" : " ") + std::to_string(*seq);
    return all;
}

}  // namespace

TEST_CASE("outgoing: sends the oldest first, and of one saga one at a time") {
    Outgoing outgoing;
    for (const auto& [seq, saga] : {std::pair{1, 7}, {2, 7}, {3, 8}, {4, 0}, {5, 0}, {6, 8}})
        add(outgoing, seq, saga);
    CHECK(outgoing.unsent() == 6);
    CHECK(sends(outgoing) == "1 3 4 5");
    CHECK(outgoing.in_flight() == 4);
    outgoing.acked(3, 1);
    CHECK(sends(outgoing) == "6");
    outgoing.acked(1, 2);
    CHECK(sends(outgoing) == "2");
    CHECK(outgoing.unsettled() == 6);
    CHECK(outgoing.unsent() == 0);
}

TEST_CASE("outgoing: a row leaves when it was read back, whatever it waited for, once") {
    Outgoing outgoing;
    for (const int seq : {1, 2, 3}) add(outgoing, seq, seq);
    CHECK(outgoing.next() == 1);
    CHECK(outgoing.next() == 2);
    outgoing.acked(1, 10);
    outgoing.settled(1);  // acknowledged
    outgoing.settled(2);  // on its way
    outgoing.settled(3);  // not sent yet: an earlier life had sent it
    outgoing.settled(1);
    outgoing.settled(9);
    outgoing.acked(2, 11);
    CHECK(outgoing.passed(99, kAll).rows == 0);
    CHECK(sends(outgoing) == "");
    CHECK(outgoing.unsettled() + outgoing.in_flight() + outgoing.unsent() == 0);
}

TEST_CASE("outgoing: what was read back before its PubAck makes way for the next of its saga") {
    Outgoing outgoing;
    add(outgoing, 1, 7);
    add(outgoing, 2, 7);
    CHECK(sends(outgoing) == "1");
    outgoing.settled(1);
    CHECK(sends(outgoing) == "2");
}

TEST_CASE("outgoing: a row that was added is not added again, one that left is") {
    Outgoing outgoing;
    add(outgoing, 1, 7);
    CHECK(sends(outgoing) == "1");
    add(outgoing, 1, 7);
    CHECK(sends(outgoing) == "");
    outgoing.settled(1);
    add(outgoing, 1, 7);
    CHECK(sends(outgoing) == "1");
}

TEST_CASE("outgoing: after an error all that has no PubAck goes again, oldest first") {
    Outgoing outgoing;
    for (const auto& [seq, saga] : {std::pair{1, 7}, {2, 8}, {3, 7}, {4, 9}})
        add(outgoing, seq, saga);
    CHECK(sends(outgoing) == "1 2 4");
    outgoing.acked(2, 1);
    outgoing.restart();
    CHECK(outgoing.in_flight() == 0);
    CHECK(outgoing.unsent() == 3);
    CHECK(sends(outgoing) == "1 4");
    outgoing.acked(1, 2);
    CHECK(sends(outgoing) == "3");
}

TEST_CASE("outgoing: what the reader passed without reading it was lost, and goes again") {
    Outgoing outgoing;
    for (const int seq : {1, 2, 3}) add(outgoing, seq, seq);
    CHECK(sends(outgoing) == "1 2 3");
    outgoing.acked(1, 10);
    outgoing.acked(2, 11);
    outgoing.acked(3, 12);
    CHECK(outgoing.passed(9, kAll).rows == 0);
    outgoing.settled(2);
    CHECK(outgoing.passed(11, kAll).rows == 1);
    CHECK(sends(outgoing) == "1");
    CHECK(outgoing.passed(11, kAll).rows == 0);
    CHECK(outgoing.passed(12, kAll).rows == 1);
    CHECK(sends(outgoing) == "3");
}

TEST_CASE("outgoing: PubAcks die with their connection") {
    Outgoing outgoing;
    add(outgoing, 1, 7);
    add(outgoing, 2, 8);
    CHECK(sends(outgoing) == "1 2");
    outgoing.acked(1, 10);
    outgoing.connected(5);
    SUBCASE("one that was on its way goes again, and its late PubAck counts for nothing") {
        outgoing.acked(2, 11);
        CHECK(outgoing.unsent() == 1);
        CHECK(sends(outgoing) == "2");
    }
    SUBCASE("one that was acknowledged waits until the reader has passed the head of now") {
        CHECK(outgoing.passed(4, kAll).rows == 0);
        CHECK(outgoing.passed(5, kAll).rows == 1);
        CHECK(sends(outgoing) == "1 2");
    }
    SUBCASE("one that stands in the stream all the same is read") {
        outgoing.settled(1);
        CHECK(outgoing.passed(5, kAll).rows == 0);
        CHECK(sends(outgoing) == "2");
    }
}

TEST_CASE("outgoing: a new connection turns no two events of a saga around") {
    Outgoing outgoing;
    for (const auto& [seq, saga] : {std::pair{1, 7}, {2, 7}, {3, 8}}) add(outgoing, seq, saga);
    CHECK(outgoing.next() == 1);
    outgoing.acked(1, 10);
    outgoing.connected(5);  // whether it still stands at 10 is open now
    add(outgoing, 4, 7);
    CHECK(sends(outgoing) == "3");
    SUBCASE("it was lost") {
        CHECK(outgoing.passed(5, kAll).rows == 1);
        CHECK(sends(outgoing) == "1");
        outgoing.acked(1, 6);
        CHECK(sends(outgoing) == "2");
        outgoing.acked(2, 7);
        CHECK(sends(outgoing) == "4");
    }
    SUBCASE("it is read") {
        outgoing.settled(1);
        CHECK(sends(outgoing) == "2");
    }
    SUBCASE("another connection comes") {
        outgoing.connected(6);
        CHECK(sends(outgoing) == "3");
        CHECK(outgoing.passed(6, kAll).rows == 1);
        CHECK(sends(outgoing) == "1");
    }
}

TEST_CASE("outgoing: what was seen in the stream waits for the reader instead of being sent") {
    Outgoing outgoing;
    for (const auto& [seq, saga] : {std::pair{1, 7}, {2, 7}}) add(outgoing, seq, saga);
    outgoing.stands(1, 10);
    outgoing.stands(9, 11);
    CHECK(sends(outgoing) == "2");
    CHECK(outgoing.passed(10, kAll).rows == 1);
    outgoing.settled(2);
    CHECK(sends(outgoing) == "1");
}

TEST_CASE("outgoing: where more was lost than has room it leaves, with what waits behind it") {
    Outgoing outgoing;
    for (const auto& [seq, saga] : {std::pair{1, 1}, {2, 2}, {3, 3}, {4, 4}, {5, 4}, {6, 2}})
        add(outgoing, seq, saga);
    CHECK(sends(outgoing) == "1 2 3 4");
    for (const int seq : {3, 2, 1}) outgoing.acked(seq, static_cast<std::uint64_t>(20 - seq));
    outgoing.connected(30);  // 4, 5 and 6 wait, the last of them for 2
    CHECK(outgoing.next() == 4);
    SUBCASE("it has room") {
        CHECK(outgoing.passed(30, 6).rows == 3);
        CHECK(sends(outgoing) == "1 2 3");
    }
    SUBCASE("it has none") {
        const Outgoing::Lost lost = outgoing.passed(30, 5);
        CHECK(lost.rows == 3);
        CHECK(lost.again_from == 1);
        CHECK(outgoing.unsettled() == 1);  // the one on its way
        CHECK(sends(outgoing) == "");
        for (const auto& [seq, saga] : {std::pair{1, 1}, {2, 2}, {3, 3}, {4, 4}, {5, 4}, {6, 2}})
            add(outgoing, seq, saga);
        CHECK(sends(outgoing) == "1 2 3");
    }
    SUBCASE("what left before is not counted") {
        outgoing.settled(2);
        CHECK(outgoing.passed(30, 5).rows == 2);
        CHECK(sends(outgoing) == "1 3 6");
    }
}

TEST_CASE("outgoing: has a row's message until its PubAck, or until it was read back") {
    const auto message = [](std::size_t size) {
        return Outgoing::Message{"s", std::vector<std::byte>(size)};
    };
    Outgoing outgoing;
    for (const int seq : {1, 2, 3}) outgoing.add({.seq = seq, .saga = 7, .message = message(100)});
    CHECK(outgoing.next() == 1);
    CHECK(outgoing.bytes() == 300);
    outgoing.settled(3);  // never sent: an earlier life had
    CHECK(outgoing.bytes() == 200);
    CHECK(outgoing.message(1).envelope.size() == 100);
    CHECK(outgoing.acked(1, 10));
    CHECK_FALSE(outgoing.acked(1, 10));
    CHECK(outgoing.bytes() == 100);
    outgoing.stands(2, 11);
    CHECK(outgoing.bytes() == 0);
    CHECK(outgoing.passed(11, kAll).rows == 2);
    CHECK(outgoing.message(1).envelope.empty());
    outgoing.put(1, message(50));
    outgoing.put(1, message(60));
    CHECK(outgoing.bytes() == 60);
    outgoing.clear();
    CHECK(outgoing.bytes() + outgoing.unacknowledged() == 0);
}

TEST_CASE("outgoing: half a million rows are awaited, some of them lost, and all read in the end") {
    constexpr std::int64_t kMany = 500'000;  // with what is quadratic it would take a minute
    constexpr std::int64_t kLost = 100;      // one of so many
    Outgoing outgoing;
    for (std::int64_t seq = 1; seq <= kMany; ++seq) add(outgoing, seq, seq);
    const auto send_all = [&](std::uint64_t place) {
        while (const auto seq = outgoing.next()) outgoing.acked(*seq, place++);
    };
    send_all(1);
    outgoing.connected(kMany);
    for (std::int64_t seq = 1; seq <= kMany; ++seq)
        if (seq % kLost != 0) outgoing.settled(seq);
    CHECK(outgoing.passed(kMany, kMany).rows == kMany / kLost);
    send_all(kMany + 1);
    for (std::int64_t seq = 1; seq <= kMany; ++seq) outgoing.settled(seq);
    CHECK(outgoing.unsettled() == 0);
}

TEST_CASE("outgoing: forgets everything") {
    Outgoing outgoing;
    for (const int seq : {1, 2, 3}) add(outgoing, seq, seq);
    CHECK(sends(outgoing) == "1 2 3");
    outgoing.acked(1, 10);
    outgoing.acked(2, 11);
    outgoing.connected(12);
    outgoing.clear();
    CHECK_FALSE(outgoing.overdue(12));
    CHECK(sends(outgoing) == "");
    CHECK(outgoing.unsettled() + outgoing.in_flight() + outgoing.unsent() == 0);
    add(outgoing, 1, 7);
    CHECK(sends(outgoing) == "1");
}

// ---- against the same rules, written to be read and not to be fast ------------------------------

namespace {

class Plain {
  public:
    struct Row {
        std::int64_t seq, saga;
        enum { waiting, flying, acked } state = waiting;
        std::uint64_t awaited = 0;
        bool doubtful = false;  ///< acknowledged by an earlier connection
    };
    std::vector<Row> rows;

    Row* find(std::int64_t seq) {
        const auto at =
            std::find_if(rows.begin(), rows.end(), [&](const Row& row) { return row.seq == seq; });
        return at == rows.end() ? nullptr : &*at;
    }
    void add(std::int64_t seq, std::int64_t saga) {
        if (find(seq) == nullptr) rows.push_back({seq, saga});
        std::sort(rows.begin(), rows.end(), [](auto& a, auto& b) { return a.seq < b.seq; });
    }
    bool may_go(const Row& row) const {
        return row.state == Row::waiting &&
               (row.saga == 0 || std::none_of(rows.begin(), rows.end(), [&](const Row& other) {
                    const bool before =
                        other.seq < row.seq && (other.state == Row::waiting || other.doubtful);
                    return other.saga == row.saga && (other.state == Row::flying || before);
                }));
    }
    std::optional<std::int64_t> next() {
        for (Row& row : rows) {
            if (!may_go(row)) continue;
            row.state = Row::flying;
            return row.seq;
        }
        return std::nullopt;
    }
    void ack(std::int64_t seq, std::uint64_t at) {
        Row* row = find(seq);
        if (row != nullptr && row->state == Row::flying) *row = {seq, row->saga, Row::acked, at};
    }
    void stand(std::int64_t seq, std::uint64_t at) {
        Row* row = find(seq);
        if (row != nullptr && row->state != Row::acked) *row = {seq, row->saga, Row::acked, at};
    }
    void connect(std::uint64_t head) {
        for (Row& row : rows)
            row = row.state == Row::acked ? Row{row.seq, row.saga, Row::acked, head, true}
                                          : Row{row.seq, row.saga};
    }
    void restart() {
        for (Row& row : rows)
            if (row.state == Row::flying) row.state = Row::waiting;
    }
    std::size_t pass(std::uint64_t cursor) {
        std::size_t lost = 0;
        for (Row& row : rows) {
            if (row.state != Row::acked || row.awaited > cursor) continue;
            row = {row.seq, row.saga};
            ++lost;
        }
        return lost;
    }
    bool overdue(std::uint64_t cursor) const {
        return std::any_of(rows.begin(), rows.end(), [&](const Row& row) {
            return row.state == Row::acked && row.awaited <= cursor;
        });
    }
    void erase(std::int64_t seq) {
        std::erase_if(rows, [&](const Row& row) { return row.seq == seq; });
    }
    std::size_t count(int state) const {
        return static_cast<std::size_t>(
            std::count_if(rows.begin(), rows.end(), [&](auto& row) { return row.state == state; }));
    }
};

struct Act {
    int what, seq, at;
};

/// One act on both.
void both(Outgoing& outgoing, Plain& plain, const Act& act) {
    const auto at = static_cast<std::uint64_t>(act.at);
    switch (act.what) {
        case 0:
        case 1:
            add(outgoing, act.seq, act.seq % 3);
            return plain.add(act.seq, act.seq % 3);
        case 2:
        case 3:
        case 4:
            RC_ASSERT(outgoing.next() == plain.next());
            return;
        case 5:
        case 6:
            outgoing.acked(act.seq, at);
            return plain.ack(act.seq, at);
        case 7:
            outgoing.settled(act.seq);
            return plain.erase(act.seq);
        case 8:
            RC_ASSERT(outgoing.passed(at, kAll).rows == plain.pass(at));
            return;
        case 10:
            outgoing.stands(act.seq, at);
            return plain.stand(act.seq, at);
        case 9:
            outgoing.connected(at);
            return plain.connect(at);
        default:
            outgoing.restart();
            return plain.restart();
    }
}

}  // namespace

TEST_CASE("outgoing: does what the plain rules do, whatever comes in whatever order") {
    using Acts = std::vector<std::tuple<std::uint8_t, std::uint8_t, std::uint8_t>>;
    const std::string against = counterexample([](const Acts& acts) {
        Outgoing outgoing;
        Plain plain;
        for (const auto& [what, seq, at] : acts) {
            both(outgoing, plain, {what % 12, 1 + seq % 9, at % 12});
            RC_ASSERT(outgoing.unsettled() == plain.rows.size());
            RC_ASSERT(outgoing.in_flight() == plain.count(Plain::Row::flying));
            RC_ASSERT(outgoing.unsent() == plain.count(Plain::Row::waiting));
            RC_ASSERT(outgoing.overdue(6) == plain.overdue(6));
        }
        while (const auto seq = plain.next()) RC_ASSERT(outgoing.next() == seq);
        RC_ASSERT(!outgoing.next());
    });
    CHECK(against == "");
}
