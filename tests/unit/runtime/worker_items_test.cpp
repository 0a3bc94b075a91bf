// What one item of a round leads to.
#include <doctest/doctest.h>

#include "saga/runtime/pruner.hpp"
#include "tests/unit/runtime/workshop.hpp"

using namespace saga;
using namespace saga::test;
using namespace std::chrono_literals;
using ::test::Asked;
using ::test::Checked;
using ::test::Granted;
using ::test::Rejected;
using ::test::Revoked;

namespace {

Outcome<Checked, Rejected> check(Tx&, const Granted& granted) {
    if (granted.ticket == "deadly") kill_the_process();
    return Checked{.ticket = granted.ticket};
}
Service fragile_auditor() {
    Service service{"auditor"};
    service.step("check", check).pivot();
    return service;
}

/// What was put into the stream at `seq` stands aside, not handled.
void put_aside(Workshop& workshop, const Stream& stream, std::uint64_t seq) {
    const runtime::Delivery& delivery = stream.messages[seq - 1];
    const auto read = core::decode(delivery.bytes);
    const auto& envelope = std::get<core::Envelope>(read);
    workshop.store().aside.insert({.event_id = envelope.id,
                                   .saga_id = std::string(envelope.saga),
                                   .reason = "too many events of its saga wait before it",
                                   .subject = delivery.subject,
                                   .message = delivery.bytes,
                                   .stream_seq = delivery.seq,
                                   .stored_at = delivery.stored_at},
                                  stream.now);
    workshop.store().cursor.move_to(seq, {});
}

void say(Workshop& workshop, const std::string& verb, std::string_view id) {
    const auto* begin = reinterpret_cast<const std::byte*>(id.data());
    workshop.in().requests.push_back({verb, {begin, begin + id.size()}, 1});
    workshop.work();
}

}  // namespace

TEST_CASE("items: what stood aside and kills the process that retries it parks in the end") {
    Stream stream;
    Workshop auditor{fragile_auditor(), stream};
    put_aside(auditor, stream, stream.put(Granted{.ticket = "deadly"}, "deadly"));
    CHECK_THROWS_AS(say(auditor, "retry", "aside-1"), store::Broken);
    for (int death = 0; death < core::kMaxCrashes; ++death) {
        auditor.die();
        CHECK_THROWS_AS(auditor.work(), store::Broken);
    }
    auditor.die();
    stream.put(Granted{.ticket = "good"}, "good");
    auditor.work();
    CHECK(auditor.value("SELECT count(*) FROM parked") == 1);
    CHECK(auditor.value("SELECT state FROM parked WHERE stream_seq = 1") == 6);
    CHECK(auditor.value("SELECT count(*) FROM aside") == 0);
    CHECK(stream.count("Checked") == 1);
}

TEST_CASE("items: what stood aside is handled as it would have been") {
    Stream stream;
    Workshop auditor{fragile_auditor(), stream};
    put_aside(auditor, stream, stream.put(Granted{.ticket = "t"}, "t"));
    say(auditor, "retry", "aside-1");
    CHECK(stream.count("Checked") == 1);
    CHECK(auditor.value("SELECT count(*) FROM parked") == 0);
    CHECK(auditor.value("SELECT count(*) FROM aside") == 0);
}

TEST_CASE("items: a word about what stood aside is no stranger's after it was forgotten") {
    Stream stream;
    Workshop auditor{fragile_auditor(), stream};
    put_aside(auditor, stream, stream.put(Granted{.ticket = "t"}, "t"));
    say(auditor, "drop", "aside-1");
    REQUIRE(auditor.value("SELECT count(*) FROM aside") == 0);
    REQUIRE(auditor.value("SELECT count(*) FROM sagas") == 0);
    REQUIRE(stream.count("OperatorActed") == 1);
    stream.now += core::kOutboxHorizon + 1h;
    const Service service = fragile_auditor();
    runtime::Pruner pruner(service.contract(), auditor.store(), {});
    while (pruner.step(stream.now)) continue;
    REQUIRE(auditor.value("SELECT count(*) FROM outbox WHERE stream_seq IS NOT NULL") == 0);
    const runtime::Delivery word = stream.messages.back();
    stream.put(word.subject, word.bytes);  // the broker lost it, and it was read back twice
    auditor.work();
    CHECK(auditor.store().cursor.position().seq == stream.messages.back().seq);
}

TEST_CASE(
    "items: a dead letter says where its message stood, with the saga's token if it had one") {
    Stream stream;
    Workshop auditor{fragile_auditor(), stream};
    stream.put(Granted{.ticket = "t"}, "t");
    auditor.work();
    stream.put(Granted{.ticket = "another"}, "t");
    const std::string subject = stream.messages.back().subject += ".t";
    auditor.work();
    const auto aside = auditor.store().aside.list(0, "t", 1);
    REQUIRE(aside.size() == 1);
    CHECK(aside.front().subject == subject);
    CHECK(auditor.value(
              "SELECT count(*) FROM outbox WHERE subject LIKE 'saga-dlq.auditor.Granted.p__'") ==
          1);
}
