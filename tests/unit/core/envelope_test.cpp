#include "saga/core/envelope.hpp"

#include <doctest/doctest.h>

#include <cstring>

#include "envelope_generated.h"
#include "saga/core/limits.hpp"
#include "tests/unit/property.hpp"

using namespace saga;
using namespace saga::core;
using saga::test::counterexample;
using std::chrono::microseconds;

namespace {

const Time kTime{microseconds(1'767'225'600'123'456)};  // 2026-01-01T00:00:00.123456Z

EventId id_of(std::uint8_t last) {
    EventId id;
    id.bytes.fill(last);
    return id;
}
Bytes bytes(std::string_view text) {
    return std::as_bytes(std::span(text));
}
std::string text(Bytes bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// With every field set.
Envelope whole() {
    return {.id = id_of(1),
            .type = "shop.payment.PaymentDeclined",
            .saga = "o1",
            .started = kTime,
            .cause = id_of(2),
            .source = "payment",
            .sequence = 42,
            .time = kTime + microseconds(7),
            .kind = Kind::failed,
            .step = "take",
            .because = "PaymentDeclined",
            .hops = 3,
            .trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            .sealed = bytes("sealed"),
            .payload = bytes("payloads")};
}

bool same(const Envelope& a, const Envelope& b) {
    return a.id == b.id && a.type == b.type && a.saga == b.saga && a.started == b.started &&
           a.cause == b.cause && a.source == b.source && a.sequence == b.sequence &&
           a.time == b.time && a.kind == b.kind && a.step == b.step && a.because == b.because &&
           a.hops == b.hops && a.trace == b.trace && text(a.sealed) == text(b.sealed) &&
           text(a.payload) == text(b.payload);
}

/// "" when it can be read.
std::string fault(const std::vector<std::byte>& body) {
    const auto read = decode(body);
    const auto* unreadable = std::get_if<Unreadable>(&read);
    return unreadable == nullptr ? "" : unreadable->why;
}

template <class Change>
std::string fault_with(Change change) {
    Envelope envelope = whole();
    change(envelope);
    return fault(encode(envelope));
}

}  // namespace

TEST_CASE("envelope: is read as it was written") {
    const auto body = encode(whole());
    const auto read = decode(body);
    REQUIRE(std::holds_alternative<Envelope>(read));
    CHECK(same(std::get<Envelope>(read), whole()));
}

TEST_CASE("envelope: what is not there is read as nothing") {
    const Envelope least{
        .id = id_of(1), .type = "a.B", .saga = "o1", .source = "a", .payload = bytes(".")};
    const auto body = encode(least);
    const auto read = decode(body);
    REQUIRE(std::holds_alternative<Envelope>(read));
    CHECK(same(std::get<Envelope>(read), least));
    CHECK_FALSE(std::get<Envelope>(read).cause);
}

TEST_CASE("envelope: is read as it was written, whatever the lengths, with its payload aligned") {
    const std::string against = counterexample(
        [](const std::vector<std::uint8_t>& payload, const std::vector<std::uint8_t>& sealed,
           std::uint8_t step, std::uint8_t trace, std::uint64_t time) {
            const std::string name(1 + step % 64, 's'), traceparent(trace % 65, 't');
            const std::vector<std::uint8_t> one{7};
            Envelope envelope = whole();
            envelope.step = envelope.because = name;
            envelope.trace = traceparent;
            envelope.started = envelope.time = Time(microseconds(time % 253'402'300'800'000'000));
            envelope.sealed = std::as_bytes(std::span(sealed));
            envelope.payload = std::as_bytes(std::span(payload.empty() ? one : payload));
            const auto body = encode(envelope);
            const auto read = decode(body);
            RC_ASSERT(std::holds_alternative<Envelope>(read));
            RC_ASSERT(same(std::get<Envelope>(read), envelope));
            const auto* at = std::get<Envelope>(read).payload.data();
            RC_ASSERT(reinterpret_cast<std::uintptr_t>(at) % 8 == 0u);
        });
    CHECK(against == "");
}

TEST_CASE("envelope: each value is looked at") {
    const std::string longest(64, 'a'), too_long(65, 'a');
    CHECK(fault_with([](Envelope& e) { e.id = {}; }) == "its id is not 16 bytes");
    CHECK(fault_with([](Envelope& e) { e.type = "PaymentTaken"; }) ==
          "its type is no table's name");
    CHECK(fault_with([](Envelope& e) { e.type = "shop. x"; }) == "its type is no table's name");
    CHECK(fault_with([](Envelope& e) { e.saga = "a.b"; }) ==
          "its saga id is not [A-Za-z0-9_-]{1,64}");
    CHECK(fault_with([&](Envelope& e) { e.saga = too_long; }) ==
          "its saga id is not [A-Za-z0-9_-]{1,64}");
    CHECK(fault_with([&](Envelope& e) { e.saga = longest; }) == "");
    CHECK(fault_with([](Envelope& e) { e.source = "Payment"; }) ==
          "its source is no service's name");
    CHECK(fault_with([](Envelope& e) { e.kind = static_cast<Kind>(4); }) == "its kind is unknown");
    CHECK(fault_with([](Envelope& e) { e.kind = static_cast<Kind>(255); }) ==
          "its kind is unknown");
    CHECK(fault_with([](Envelope& e) { e.step = "Take"; }) == "its step is no name");
    CHECK(fault_with([](Envelope& e) { e.trace = "a b"; }) ==
          "its trace context is not a traceparent");
    CHECK(fault_with([&](Envelope& e) { e.trace = too_long; }) ==
          "its trace context is not a traceparent");
}

TEST_CASE("envelope: its times are of years with four digits") {
    const auto fault_at = [](Time started, Time time) {
        return fault_with([&](Envelope& e) { e.started = started, e.time = time; });
    };
    const std::string why = "its time is not of the years 1970 to 9999";
    CHECK(fault_at(Time{}, kLastTime) == "");
    CHECK(fault_at(kLastTime, Time{}) == "");
    for (const Time time :
         {Time(microseconds(-1)), kLastTime + microseconds(1), Time::min(), Time::max()}) {
        CHECK(fault_at(kTime, time) == why);
        CHECK(fault_at(time, kTime) == why);
    }
}

TEST_CASE("envelope: what failed the saga is one word, for it is stored among others") {
    const std::string longest(64, 'A'), too_long(65, 'A');
    CHECK(fault_with([](Envelope& e) { e.because = ""; }) == "");
    CHECK(fault_with([](Envelope& e) { e.because = "?"; }) == "");
    CHECK(fault_with([&](Envelope& e) { e.because = longest; }) == "");
    for (const std::string& because : {std::string("Payment Declined"), std::string(" "),
                                       std::string("a\nb"), std::string("\xC3\xA9"), too_long}) {
        CAPTURE(because);
        CHECK(fault_with([&](Envelope& e) { e.because = because; }) ==
              "what failed the saga is no event's name");
    }
}

TEST_CASE("envelope: a type that can be published can be told as the cause of a failure") {
    const std::string longest = "shop.payment." + std::string(64, 'A');
    const std::string too_long = "shop.payment." + std::string(65, 'A');
    CHECK(fault_with([&](Envelope& e) { e.type = longest; }) == "");
    CHECK(fault_with([&](Envelope& e) { e.type = too_long; }) == "its type is no table's name");
}

TEST_CASE("envelope: ids are 16 bytes, and there is a payload") {
    const auto fault_of = [](std::size_t id, std::size_t cause, std::size_t payload) {
        flatbuffers::FlatBufferBuilder builder;
        const std::vector<std::uint8_t> fill(64, 1);
        const auto blob = [&](std::size_t size) { return builder.CreateVector(fill.data(), size); };
        const auto type = builder.CreateString("a.B"), saga = builder.CreateString("o1"),
                   source = builder.CreateString("a");
        const auto id_at = blob(id), cause_at = blob(cause), payload_at = blob(payload);
        wire::EnvelopeBuilder table(builder);
        table.add_id(id_at);
        table.add_type(type);
        table.add_saga(saga);
        table.add_source(source);
        table.add_cause(cause_at);
        table.add_payload(payload_at);
        wire::FinishEnvelopeBuffer(builder, table.Finish());
        const auto* begin = reinterpret_cast<const std::byte*>(builder.GetBufferPointer());
        return fault({begin, begin + builder.GetSize()});
    };
    CHECK(fault_of(16, 16, 1) == "");
    CHECK(fault_of(16, 0, 1) == "");
    for (const std::size_t size : {0, 1, 15, 17, 64}) {
        CAPTURE(size);
        CHECK(fault_of(size, 16, 1) == "its id is not 16 bytes");
        if (size != 0) CHECK(fault_of(16, size, 1) == "its cause is not 16 bytes");
    }
    CHECK(fault_of(16, 16, 0) == "it has no payload");
}

// ---- hostile bytes ------------------------------------------------------------------------------

namespace {

/// Every byte that an envelope points at, which must lie in the body.
std::size_t touch(const Envelope& e, Bytes body) {
    std::size_t sum = 0;
    for (const std::string_view view : {e.type, e.saga, e.source, e.step, e.because, e.trace}) {
        const Bytes part = bytes(view);
        if (part.empty()) continue;
        CHECK(
            (part.data() >= body.data() && part.data() + part.size() <= body.data() + body.size()));
    }
    for (const Bytes part : {e.sealed, e.payload})
        for (const std::byte byte : part) sum += std::to_integer<std::size_t>(byte);
    return sum;
}

/// In a block of its own, so that a sanitizer sees one byte too far.
bool readable(Bytes body) {
    const std::vector<std::byte> copy(body.begin(), body.end());
    const auto read = decode(copy);
    const auto* envelope = std::get_if<Envelope>(&read);
    if (envelope != nullptr) touch(*envelope, copy);
    return envelope != nullptr;
}

}  // namespace

TEST_CASE("envelope: what is cut off anywhere is not read") {
    const auto body = encode(whole());
    REQUIRE(readable(body));
    for (std::size_t size = 0; size < body.size(); ++size) {
        CAPTURE(size);
        CHECK_FALSE(readable(Bytes(body).first(size)));
    }
}

TEST_CASE("envelope: with any byte turned into any other it does no harm") {
    auto body = encode(whole());
    std::size_t still = 0;
    for (std::byte& byte : body) {
        const std::byte was = byte;
        for (int value = 0; value < 256; ++value) {
            byte = static_cast<std::byte>(value);
            still += readable(body) ? 1 : 0;
        }
        byte = was;
    }
    CHECK(still > body.size());            // values that may be others
    CHECK(still < body.size() * 256 / 2);  // structure, which may not
}

TEST_CASE("envelope: noise is not read") {
    const std::string against = counterexample([](std::vector<std::uint8_t> noise) {
        RC_ASSERT(!readable(std::as_bytes(std::span(noise))));
        if (noise.size() >= 8) std::memcpy(noise.data() + 4, "SAGA", 4);
        readable(std::as_bytes(std::span(noise)));
    });
    CHECK(against == "");
}

TEST_CASE("envelope: a body of another kind, or too large a one, is told so") {
    auto body = encode(whole());
    body[4] = std::byte{'X'};
    CHECK(fault(body) == "it does not carry the file identifier SAGA");
    CHECK(fault({}) == "it does not carry the file identifier SAGA");
    const std::vector<std::byte> payload(kMaxMessage);
    Envelope large = whole();
    large.payload = payload;
    CHECK(fault(encode(large)).find("bytes, more than 262144") != std::string::npos);
    large.payload = Bytes(payload).first(kMaxMessage - 1'024);
    CHECK(fault(encode(large)) == "");
}

// ---- subject, headers, time ---------------------------------------------------------------------

TEST_CASE("envelope: a subject that is not its own is told apart") {
    const std::string subject = "saga.payment.failed.PaymentDeclined.p61";
    CHECK_FALSE(spoofed(subject, whole()));
    CHECK_FALSE(spoofed(subject + ".o1", whole()));
    CHECK(spoofed("saga.payment", whole()) == "its subject is no event's");
    CHECK(spoofed("saga.order.failed.PaymentDeclined.p61", whole()) ==
          "its subject names another service");
    CHECK(spoofed("saga.payment.done.PaymentDeclined.p61", whole()) ==
          "its subject names another kind");
    CHECK(spoofed("saga.payment.failed.PaymentTaken.p61", whole()) ==
          "its subject names another event");
    CHECK(spoofed("saga.payment.failed.PaymentDeclined.p60", whole()) ==
          "its subject names another partition");
    CHECK(spoofed(subject + ".o2", whole()) == "its subject names another saga");
}

TEST_CASE("envelope: an event is published by its type's owner, the engine's own by anybody") {
    Envelope foreign = whole();
    foreign.source = "order";
    CHECK(spoofed("saga.order.failed.PaymentDeclined.p61", foreign) ==
          "PaymentDeclined belongs to payment, not to order");
    foreign.type = "saga.wire.OperatorActed";
    foreign.kind = Kind::done;
    CHECK_FALSE(spoofed("saga.order.done.OperatorActed.p61", foreign));
    foreign.type = "saga.wire2.OperatorActed";
    CHECK(spoofed("saga.order.done.OperatorActed.p61", foreign));
}

TEST_CASE("envelope: has exactly these headers, in this order, in ASCII") {
    const Headers all{
        {"Nats-Msg-Id", "01010101-0101-0101-0101-010101010101"},
        {"ce-specversion", "1.0"},
        {"ce-id", "01010101-0101-0101-0101-010101010101"},
        {"ce-source", "/payment"},
        {"ce-type", "shop.payment.PaymentDeclined"},
        {"ce-time", "2026-01-01T00:00:00.123463Z"},
        {"ce-subject", "o1"},
        {"ce-datacontenttype", "application/x-flatbuffers"},
        {"content-type", "application/x-flatbuffers"},
        {"ce-dataschema", "saga:shop.payment.PaymentDeclined"},
        {"ce-correlationid", "o1"},
        {"ce-sequence", "00000000000000000042"},
        {"ce-sagakind", "failed"},
        {"ce-causationid", "02020202-0202-0202-0202-020202020202"},
        {"traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"},
    };
    const Headers headers = headers_of(whole());
    REQUIRE(headers.size() == all.size());
    for (std::size_t i = 0; i < all.size(); ++i) {
        CHECK(headers[i].first == all[i].first);
        CHECK(headers[i].second == all[i].second);
    }
    Envelope first = whole();
    first.cause = {};
    first.trace = {};
    CHECK(headers_of(first) == Headers(all.begin(), all.end() - 2));
}

TEST_CASE("envelope: no header is empty, or more than printable ASCII, of whatever can be read") {
    auto body = encode(whole());
    int wrong = 0;
    for (std::byte& byte : body) {
        const std::byte was = byte;
        for (int bit = 0; bit < 8; ++bit) {
            byte = was ^ static_cast<std::byte>(1 << bit);
            const auto read = decode(body);
            const auto* envelope = std::get_if<Envelope>(&read);
            if (envelope == nullptr) continue;
            for (const auto& [name, value] : headers_of(*envelope))
                wrong += value.empty() || std::any_of(value.begin(), value.end(), [](char c) {
                             return c <= ' ' || c >= '\x7f';
                         });
        }
        byte = was;
    }
    CHECK(wrong == 0);
}

TEST_CASE("envelope: times are those of RFC 3339") {
    CHECK(rfc3339(Time{}) == "1970-01-01T00:00:00.000000Z");
    CHECK(rfc3339(kTime) == "2026-01-01T00:00:00.123456Z");
    CHECK(rfc3339(Time(microseconds(-1))) == "1969-12-31T23:59:59.999999Z");
    CHECK(rfc3339(Time(microseconds(951'782'400'000'000))) == "2000-02-29T00:00:00.000000Z");
    CHECK(rfc3339(kLastTime) == "9999-12-31T23:59:59.999999Z");
    CHECK_NOTHROW(rfc3339(Time::max()));
}

TEST_CASE("envelope: forward is what no failure stands behind") {
    const auto forward = [](Kind kind, std::string_view because) {
        return Envelope{.kind = kind, .because = because}.forward();
    };
    CHECK(forward(Kind::done, ""));
    CHECK(forward(Kind::ended, ""));
    CHECK_FALSE(forward(Kind::ended, "PaymentDeclined"));
    CHECK_FALSE(forward(Kind::failed, "PaymentDeclined"));
    CHECK_FALSE(forward(Kind::failed, ""));
    CHECK_FALSE(forward(Kind::undone, "PaymentDeclined"));
    CHECK_FALSE(forward(Kind::undone, ""));
}
