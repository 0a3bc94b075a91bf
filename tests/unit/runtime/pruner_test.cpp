// What is forgotten, and what is not.
#include "saga/runtime/pruner.hpp"

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
using ::test::Question;
using ::test::Rejected;

namespace {

constexpr auto kLong = core::kRetention + 1h;

void note(Tx&, const Granted&) {}
Service reader() {
    Service service{"reader"};
    service.on(note);
    return service;
}

Question question(const View&, const Granted& granted) {
    return {.ticket = granted.ticket};
}
Answer outside(const Call&, const Question&) {
    return {};
}
Outcome<Checked, Rejected> judge(Tx&, const Granted& granted, const Answer&) {
    return Checked{.ticket = granted.ticket};
}
Service patient_auditor() {
    Service service{"auditor"};
    service.step("check", call(question, outside, judge)).pivot();
    return service;
}

/// How many sagas are left after a whole pass.
std::int64_t left(Workshop& workshop, Service service, const Stream& stream) {
    runtime::Pruner pruner(service.contract(), workshop.store(), {});
    while (pruner.step(stream.now)) continue;
    return workshop.value("SELECT count(*) FROM sagas");
}

}  // namespace

TEST_CASE("pruner: a saga that was only read goes, though its end was never heard of") {
    Stream stream;
    Workshop reading{reader(), stream};
    const Time began = stream.now;
    stream.put(Granted{.ticket = "t"}, "t");
    reading.work();
    CHECK(left(reading, reader(), stream) == 1);
    stream.now = began + kLong / 2;
    stream.put(Granted{.ticket = "again"}, "t");
    reading.work();
    stream.now = began + kLong;
    CHECK(left(reading, reader(), stream) == 1);  // it was heard of since
    stream.now += kLong;
    CHECK(left(reading, reader(), stream) == 0);
    CHECK(reading.value("SELECT count(*) FROM inbox") == 0);
}

TEST_CASE("pruner: a saga in which something was done stays until it ends") {
    Stream stream;
    Workshop granting{testing::granter(365 * 24h), stream};
    stream.put(Asked{.ticket = "t", .amount = 1}, "t");
    granting.work();
    stream.now += 2 * kLong;
    CHECK(left(granting, testing::granter(365 * 24h), stream) == 1);
    stream.put(Rejected{.ticket = "t"}, "t", Kind::failed, "Rejected");
    granting.work();
    stream.now += kLong;
    CHECK(left(granting, testing::granter(365 * 24h), stream) == 0);
}

namespace {
void lock(Tx& tx, const Granted& granted) {
    tx.lock({granted.ticket});
}
}  // namespace

TEST_CASE("pruner: a saga that was only read and holds a lock stays until it ends") {
    Stream stream;
    Service service{"reader"};
    service.on(lock);
    Workshop reader{service, stream};
    stream.put(Granted{.ticket = "pot"}, "a");
    stream.put(Granted{.ticket = "pot"}, "b");
    reader.work();
    stream.now += 2 * kLong;
    CHECK(left(reader, service, stream) == 2);
    CHECK(reader.value("SELECT count(*) FROM locks") == 1);
    stream.put(Closed{.ticket = "a"}, "a", Kind::ended);
    reader.work();
    CHECK(reader.value("SELECT count(*) FROM locks JOIN sagas USING (saga) WHERE id = 'b'") == 1);
    CHECK(reader.value("SELECT count(*) FROM lock_queue") == 0);
}

TEST_CASE("pruner: a saga that has ended stays while a call of it is open") {
    Stream stream;
    Workshop asking{patient_auditor(), stream};
    stream.put(Granted{.ticket = "t"}, "t");
    asking.work();
    stream.put(Closed{.ticket = "t"}, "t", Kind::ended);
    asking.work();
    stream.now += kLong;
    CHECK(left(asking, patient_auditor(), stream) == 1);
    asking.in().answers.push_back({.call = 1, .answer = detail::pack(Answer{}), .why = {}});
    asking.work();
    stream.now += kLong;
    CHECK(left(asking, patient_auditor(), stream) == 0);
    CHECK(asking.value("SELECT count(*) FROM calls") == 0);
}
