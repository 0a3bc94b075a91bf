// tx.lock(): who has it, who waits, and who is let in when it is free.
#include <doctest/doctest.h>

#include <sstream>

#include "tests/unit/runtime/workshop.hpp"

using namespace saga;
using namespace saga::test;
using namespace std::chrono_literals;
using ::test::Asked;
using ::test::Checked;
using ::test::Closed;
using ::test::Granted;
using ::test::Overdue;
using ::test::Rejected;
using ::test::Revoked;

namespace {

int runs = 0;           // of the step that locks
bool stubborn = false;  // the undo throws

std::vector<std::string> words(const std::string& text) {
    std::istringstream in(text);
    return {std::istream_iterator<std::string>(in), {}};
}

Granted grant(Tx& tx, const Asked& asked) {
    ++runs;
    tx.lock(words(asked.ticket));
    tx.exec("INSERT INTO had (saga) VALUES (?1)", tx.saga_id());
    return {.ticket = asked.ticket};
}
Revoked revoke(Tx& tx, const Granted& granted) {
    if (stubborn) throw Error("not yet");
    tx.lock(words(granted.ticket + " everything"));  // waits for nothing
    return {.ticket = granted.ticket};
}
Overdue further(Tx& tx, const Checked& checked) {
    tx.lock(words(checked.ticket));
    tx.exec("INSERT INTO had (saga) VALUES (?1)", tx.saga_id() + "+");
    return {.ticket = checked.ticket};
}

Service locker() {
    runs = 0;
    stubborn = false;
    Service service{"granter", "CREATE TABLE had (nth INTEGER PRIMARY KEY, saga TEXT) STRICT"};
    service.step("grant", grant).undo(revoke);
    service.step("further", further).keeps();
    return service;
}

/// Sagas that want what their tickets name, in this order.
class World {
  public:
    void ask(const std::string& saga, const std::string& keys) {
        stream.put(Asked{.ticket = keys, .amount = 1}, saga);
    }
    void ask_more(const std::string& saga, const std::string& keys) {
        stream.put(Checked{.ticket = keys}, saga);
    }
    void end(const std::string& saga) { stream.put(Closed{.ticket = saga}, saga, Kind::ended); }
    void fail(const std::string& saga) {
        stream.put(Rejected{.ticket = saga}, saga, Kind::failed, "Rejected");
    }
    /// Time passes until whatever waits has looked again, `times` times.
    void wait(int times) {
        for (; times > 0; --times) {
            stream.now += 20min;
            shop.work();
        }
    }
    /// Who got in, in order, since the last call.
    std::string got_in() {
        shop.work();
        store::Statement had(shop.store().db(), "SELECT nth, saga FROM had WHERE nth > ?1");
        store::Rows rows = had.query(told_);
        std::string names;
        while (rows.next()) {
            told_ = rows.integer(0);
            names += (names.empty() ? "" : " ") + std::string(rows.text(1));
        }
        return names;
    }
    std::string reason(const std::string& saga) {
        store::Statement parked(shop.store().db(),
                                "SELECT reason FROM parked JOIN sagas USING (saga) WHERE id = ?1");
        store::Rows rows = parked.query(saga);
        return rows.next() ? std::string(rows.text(0)) : "";
    }
    std::int64_t waiting() { return shop.value("SELECT count(*) FROM parked WHERE state = 3"); }
    std::int64_t dead() { return shop.value("SELECT count(*) FROM parked WHERE state = 6"); }
    std::int64_t held() { return shop.value("SELECT count(*) FROM locks"); }
    void operate(const std::string& verb, const std::string& saga) {
        store::Statement parked(
            shop.store().db(),
            "SELECT position FROM parked JOIN sagas USING (saga) WHERE id = ?1 AND state = 6");
        std::string position;
        {
            store::Rows rows = parked.query(saga);
            REQUIRE(rows.next());
            position = std::to_string(rows.integer(0));
        }
        const auto* begin = reinterpret_cast<const std::byte*>(position.data());
        shop.in().requests.push_back({verb, {begin, begin + position.size()}, 1});
        shop.work();
    }

    Stream stream;
    Workshop shop{locker(), stream};

  private:
    std::int64_t told_ = 0;
};

}  // namespace

TEST_CASE("locks: who asked first has it first, also when another comes while it is free") {
    World w;
    w.ask("a", "pot");
    CHECK(w.got_in() == "a");
    w.ask("b", "pot");
    w.ask("c", "pot");
    CHECK(w.got_in() == "");
    CHECK(w.reason("b") == "saga a holds pot");
    w.end("a");
    w.ask("d", "pot");  // in the same round, before b has looked again
    CHECK(w.got_in() == "b");
    w.end("b");
    CHECK(w.got_in() == "c");
    w.end("c");
    CHECK(w.got_in() == "d");
    w.end("d");
    CHECK(w.got_in() == "");
    CHECK(w.held() == 0);
    CHECK(w.waiting() == 0);
}

TEST_CASE("locks: one that is free wakes only who is next, and at once") {
    World w;
    w.ask("a", "pot");
    for (int nth = 0; nth < 30; ++nth) w.ask("w" + std::to_string(nth), "pot");
    w.shop.work();
    runs = 0;
    w.end("a");
    CHECK(w.got_in() == "a w0");
    CHECK(runs == 1);
}

TEST_CASE("locks: whoever leaves the queue lets in who is behind") {
    World w;
    w.ask("a", "pot");
    w.ask("b", "pot");
    w.ask("c", "pot");
    CHECK(w.got_in() == "a");
    w.end("a");
    w.fail("b");  // in the same round: it was woken, and will never come
    CHECK(w.got_in() == "c");
    CHECK(w.shop.value("SELECT count(*) FROM journal WHERE state = 7") == 1);
}

TEST_CASE("locks: a saga waits so long, then its event is dead, and holds up nobody else") {
    World w;
    w.ask("a", "pot");
    w.ask("b", "pot");
    w.ask_more("b", "lid");
    w.shop.work();
    w.wait(core::kLaterAttempts - 2);
    CHECK(w.waiting() == 1);
    CHECK(w.dead() == 0);
    w.wait(1);
    CHECK(w.waiting() == 0);
    CHECK(w.dead() == 1);
    CHECK(w.shop.letters() == std::vector<std::string>{"saga a holds pot"});
    CHECK(w.held() == 1);  // a's: no wait takes a lock from its saga
    w.ask("c", "pot");
    w.ask("d", "jar");
    CHECK(w.got_in() == "a d");
    w.end("a");
    CHECK(w.got_in() == "c");
    w.operate("retry", "b");
    CHECK(w.got_in() == "");
    w.end("c");
    CHECK(w.got_in() == "b b+");
}

TEST_CASE("locks: one that wants two waits for both and holds neither, and is passed by nobody") {
    World w;
    w.ask("a", "pot");
    w.ask("b", "pot lid");
    CHECK(w.got_in() == "a");
    CHECK(w.held() == 1);
    w.ask("c", "lid");
    CHECK(w.got_in() == "");
    CHECK(w.reason("c") == "saga b asked for lid before");
    w.end("a");
    CHECK(w.got_in() == "b");
    w.end("b");
    CHECK(w.got_in() == "c");
}

TEST_CASE("locks: sagas that want the same in another order do not keep each other out") {
    World w;
    w.ask("a", "pot lid");
    w.ask("b", "lid pot");
    w.ask("c", "pot lid");
    CHECK(w.got_in() == "a");
    w.end("a");
    CHECK(w.got_in() == "b");
    w.end("b");
    CHECK(w.got_in() == "c");
}

TEST_CASE("locks: a saga that holds one does not stand behind who waits for it") {
    World w;
    w.ask("a", "pot");
    w.ask("b", "pot lid");
    w.ask_more("a", "lid");
    CHECK(w.got_in() == "a a+");
    w.ask_more("a", "pot");  // of another event: it holds that already
    w.end("a");
    CHECK(w.got_in() == "b");
    CHECK(w.held() == 2);
}

TEST_CASE("locks: sagas that hold what the other wants are told apart, and soon dead") {
    World w;
    w.ask("a", "pot");
    w.ask("b", "lid");
    w.ask_more("a", "lid");
    CHECK(w.got_in() == "a b");
    CHECK(w.reason("a") == "saga b holds lid");
    w.ask_more("b", "pot");
    w.shop.work();
    CHECK(w.reason("b") == "a deadlock: saga a holds pot, and waits for what this one holds");
    w.wait(core::kEventAttempts);
    CHECK(w.dead() == 1);
    CHECK(w.shop.letters().size() == 1);
    CHECK(w.shop.letters().front().starts_with("a deadlock: "));
    w.wait(core::kEventAttempts);
    CHECK(w.dead() == 1);  // the other one waits on: it is not its turn to give way
    CHECK(w.waiting() == 1);
}

TEST_CASE("locks: a failure of either resolves a deadlock, dead or not") {
    for (const std::string failing : {"a", "b"}) {
        for (const int waits : {0, core::kEventAttempts}) {
            CAPTURE(failing);
            CAPTURE(waits);
            World w;
            w.ask("a", "pot");
            w.ask("b", "lid");
            w.ask_more("a", "lid");
            w.ask_more("b", "pot");
            CHECK(w.got_in() == "a b");
            w.wait(waits);
            const std::string other = failing == "a" ? "b" : "a";
            const bool other_died = w.reason(other).starts_with("a deadlock") && w.dead() == 1;
            w.fail(failing);
            w.shop.work();
            if (other_died) w.operate("retry", other);
            CHECK(w.got_in() == other + "+");
            CHECK(w.dead() == 0);
        }
    }
}

TEST_CASE("locks: held until the saga is undone here, however long that takes") {
    World w;
    w.ask("a", "pot");
    w.ask("b", "pot");
    w.shop.work();
    stubborn = true;
    w.fail("a");
    CHECK(w.got_in() == "a");
    w.stream.put(Closed{.ticket = "a"}, "a", Kind::ended, "Rejected");
    w.wait(3);
    CHECK(w.got_in() == "");
    stubborn = false;
    w.wait(1);
    CHECK(w.got_in() == "b");
    CHECK(w.stream.count("Revoked") == 1);
}

TEST_CASE("locks: an undo that gave up holds on until an operator passes it over") {
    World w;
    w.ask("a", "pot");
    w.ask("b", "pot");
    w.shop.work();
    stubborn = true;
    w.fail("a");
    w.wait(core::kLaterAttempts - 10);
    CHECK(w.got_in() == "a");
    w.wait(20);
    REQUIRE(w.reason("a") == "not yet");
    w.operate("skip", "a");
    if (w.dead() == 1) w.operate("retry", "b");  // it waited as long
    CHECK(w.got_in() == "b");
}

TEST_CASE("locks: an undo waits for none") {
    World w;
    w.ask("a", "pot");
    w.ask("b", "everything");
    w.shop.work();
    w.fail("a");
    w.shop.work();
    CHECK(w.stream.count("Revoked") == 1);
    CHECK(w.held() == 1);
}

TEST_CASE("locks: outlive the process, with who waits, in order") {
    World w;
    w.ask("a", "pot");
    w.ask("b", "pot");
    w.ask("c", "pot");
    CHECK(w.got_in() == "a");
    w.shop.die();
    w.end("a");
    w.ask("d", "pot");
    CHECK(w.got_in() == "b");
    w.shop.restart();
    w.end("b");
    CHECK(w.got_in() == "c");
}

TEST_CASE("locks: a restored database lets sagas in as they were let in") {
    World w;
    w.ask("a", "pot lid");
    w.ask("b", "pot");
    w.ask_more("b", "jar");
    w.ask("c", "lid");
    w.ask("d", "pot lid");
    w.shop.work();
    w.end("a");
    w.shop.work();
    w.end("c");
    w.ask("e", "lid");
    w.shop.work();
    CHECK(w.got_in() == "a b c b+");
    w.fail("b");
    CHECK(w.got_in() == "d");

    Workshop restored{locker(), w.stream};
    restored.begin_catch_up();
    restored.work();
    restored.end_catch_up();
    restored.work();
    const auto same = [&](std::string_view select) {
        CHECK(restored.store().business.json(select, "") ==
              w.shop.store().business.json(select, ""));
    };
    same("SELECT saga FROM had ORDER BY nth");
    same("SELECT entity, id FROM locks JOIN sagas USING (saga) ORDER BY entity");
    same("SELECT id, state FROM parked JOIN sagas USING (saga) ORDER BY position");
    CHECK(restored.letters().empty());
    CHECK(restored.value("SELECT count(*) FROM recorded") == 0);
    CHECK(w.stream.count("Granted") == 4);
    CHECK(w.stream.count("Overdue") == 1);
}
