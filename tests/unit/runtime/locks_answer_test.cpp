// tx.lock() where no event parks, and in hands that do not know it.
#include <doctest/doctest.h>

#include "tests/unit/runtime/workshop.hpp"

using namespace saga;
using namespace saga::test;
using namespace std::chrono_literals;
using ::test::Answer;
using ::test::Asked;
using ::test::Checked;
using ::test::Closed;
using ::test::Granted;
using ::test::Overdue;
using ::test::Question;
using ::test::Rejected;
using ::test::Revoked;

namespace {

Question question(const View&, const Asked& asked) {
    return {.ticket = asked.ticket};
}
Answer perform(const Call& call, const Question& question) {
    return call.request<Answer>("test.check", question);
}
Granted settle(Tx& tx, const Asked& asked, const Answer&) {
    tx.lock({asked.ticket});
    return {.ticket = asked.ticket};
}
Revoked revoke(Tx& tx, const Granted& granted) {
    tx.lock({granted.ticket});
    return {.ticket = granted.ticket};
}
Overdue hold(Tx& tx, const Checked& checked) {
    tx.lock({checked.ticket});
    return {.ticket = checked.ticket};
}
Service caller() {
    Service service{"granter"};
    service.step("grant", saga::call(question, perform, settle)).undo(revoke);
    service.step("hold", hold).keeps();
    return service;
}

void answer(Workshop& shop, std::int64_t call) {
    shop.in().answers.push_back({.call = call, .answer = detail::pack(Answer{}), .why = {}});
    shop.work();
}

}  // namespace

TEST_CASE("locks: an answer that finds one held is asked for again") {
    Stream stream;
    Workshop shop{caller(), stream};
    stream.put(Checked{.ticket = "pot"}, "a");
    stream.put(Asked{.ticket = "pot", .amount = 1}, "b");
    shop.work();
    answer(shop, 1);
    CHECK(shop.value("SELECT attempts FROM calls") == 1);
    CHECK(shop.value("SELECT next_at IS NOT NULL FROM calls") == 1);
    CHECK(stream.count("Granted") == 0);
    stream.put(Checked{.ticket = "pot"}, "c");
    stream.put(Closed{.ticket = "a"}, "a", Kind::ended);
    stream.put(Closed{.ticket = "c"}, "c", Kind::ended);
    shop.work();
    answer(shop, 1);
    CHECK(stream.count("Granted") == 1);
    CHECK(shop.value("SELECT count(*) FROM locks JOIN sagas USING (saga) WHERE id = 'b'") == 1);
}

TEST_CASE("locks: the answer of a saga that has failed is settled and undone, whoever holds what") {
    Stream stream;
    Workshop shop{caller(), stream};
    stream.put(Checked{.ticket = "pot"}, "a");
    stream.put(Asked{.ticket = "pot", .amount = 1}, "b");
    shop.work();
    stream.put(Rejected{.ticket = "b"}, "b", Kind::failed, "Rejected");
    shop.work();
    answer(shop, 1);
    CHECK(stream.count("Revoked") == 1);
    CHECK(shop.value("SELECT count(*) FROM locks JOIN sagas USING (saga) WHERE id = 'a'") == 1);
    CHECK(shop.value("SELECT count(*) FROM locks") == 1);
}

namespace {
Overdue careless(Tx& tx, const Checked& checked) {
    try {
        tx.lock({checked.ticket});
    } catch (const std::exception&) {  // and goes on
    }
    return {.ticket = checked.ticket};
}
}  // namespace

TEST_CASE("locks: a handler that catches what lock() throws leaves no trace all the same") {
    Stream stream;
    Service service{"granter"};
    service.step("hold", careless).keeps();
    Workshop shop{service, stream};
    stream.put(Checked{.ticket = "pot"}, "a");
    stream.put(Checked{.ticket = "pot"}, "b");
    shop.work();
    CHECK(stream.count("Overdue") == 1);
    CHECK(shop.value("SELECT count(*) FROM parked WHERE state = 3") == 1);
}
