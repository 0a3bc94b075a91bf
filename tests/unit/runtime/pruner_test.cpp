// What is forgotten, and what is not.
#include "saga/runtime/pruner.hpp"

#include <doctest/doctest.h>

#include "tests/unit/runtime/workshop.hpp"

using namespace saga;
using namespace saga::test;
using namespace std::chrono_literals;
using ::test::Answer;
using ::test::Asked;
using ::test::Closed;
using ::test::Granted;
using ::test::Rejected;

namespace {

constexpr auto kLong = core::kRetention + 1h;

void note(Tx&, const Granted&) {}
Service reader() {
    Service service{"reader"};
    service.on(note);
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
    Workshop asking{testing::calling_auditor(), stream};
    stream.put(Granted{.ticket = "t"}, "t");
    asking.work();
    stream.put(Closed{.ticket = "t"}, "t", Kind::ended);
    asking.work();
    stream.now += kLong;
    CHECK(left(asking, testing::calling_auditor(), stream) == 1);
    asking.in().answers.push_back({.call = 1, .answer = detail::pack(Answer{}), .why = {}});
    asking.work();
    stream.now += kLong;
    CHECK(left(asking, testing::calling_auditor(), stream) == 0);
    CHECK(asking.value("SELECT count(*) FROM calls") == 0);
}

TEST_CASE("pruner: an event that it forgot is no stranger's, a younger one that it never had is") {
    Stream stream;
    Workshop granting{testing::granter(), stream};
    stream.put(Asked{.ticket = "t", .amount = 1}, "t");
    stream.put(Rejected{.ticket = "t"}, "t", Kind::failed, "Rejected");
    granting.work();
    REQUIRE(granting.value("SELECT count(*) FROM outbox WHERE stream_seq IS NOT NULL") == 2);
    const auto copies = std::vector(stream.messages.end() - 2, stream.messages.end());
    stream.now += core::kOutboxHorizon + 1h;
    left(granting, testing::granter(), stream);
    REQUIRE(granting.value("SELECT count(*) FROM outbox") == 0);
    for (const runtime::Delivery& copy : copies) stream.put(copy.subject, copy.bytes);
    granting.work();
    stream.now += core::kOutboxHorizon + 2h;  // whoever forgot nothing since then had it
    stream.put(Granted{.ticket = "t"}, "t");
    stream.now += core::kOutboxHorizon + 2h;
    CHECK_THROWS_AS(granting.work(), runtime::ForeignInstance);
}

TEST_CASE("pruner: an event stays for a day after its own time, which another clock may have set") {
    Stream stream;
    Workshop granting{testing::granter(), stream};
    stream.now += 2h;
    stream.put(Asked{.ticket = "t", .amount = 1}, "t");
    stream.put(Rejected{.ticket = "t"}, "t", Kind::failed, "Rejected");
    stream.now -= 2h;
    granting.work();
    stream.now += core::kOutboxHorizon + 1h;
    left(granting, testing::granter(), stream);
    CHECK(granting.value("SELECT count(*) FROM outbox") == 2);
    stream.now += 2h;
    left(granting, testing::granter(), stream);
    CHECK(granting.value("SELECT count(*) FROM outbox") == 0);
}
