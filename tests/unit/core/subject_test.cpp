#include "saga/core/subject.hpp"

#include <doctest/doctest.h>

#include <array>

#include "saga/core/limits.hpp"
#include "tests/unit/property.hpp"

using namespace saga;
using namespace saga::core;
using saga::test::counterexample;

TEST_CASE("subject: partitions are those of the golden vectors") {
    // FNV-1a 64 of the UTF-8 bytes, by another program. Never change: other languages have these.
    struct Vector {
        std::string_view saga_id;
        std::uint64_t hash;
        std::string_view token;
    };
    const Vector vectors[]{
        {"a", 0xaf63dc4c8601ec8c, "p12"},
        {"A", 0xaf63fc4c860222ec, "p44"},
        {"0", 0xaf63ad4c86019caf, "p47"},
        {"_", 0xaf64124c8602484e, "p14"},
        {"-", 0xaf63a04c86018698, "p24"},
        {"o1", 0x08b01707b555f4fd, "p61"},
        {"foobar", 0x85944171f73967e8, "p40"},
        {"order-42", 0x7d1deb86a05662d4, "p20"},
        {"01JD3X5M7Q9R2T4V6W8Y0Z1A3C", 0xe28bd541ccb9e468, "p40"},
        {"550e8400-e29b-41d4-a716-446655440000", 0xfbb0538ee83a5048, "p08"},
        {"zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz", 0x57315afcf13f5125,
         "p37"},
        {"", 0xcbf29ce484222325, "p37"},
    };
    for (const Vector& vector : vectors) {
        CAPTURE(vector.saga_id);
        CHECK(partition_of(vector.saga_id) == vector.hash % 64);
        CHECK(partition_token(vector.saga_id) == vector.token);
    }
}

TEST_CASE("subject: bytes beyond ASCII hash as bytes, on every machine") {
    CHECK(partition_of("\xC3\xA9") == 0x0ac21707b7181e01ULL % 64);  // é
    CHECK(partition_of("\xFF") == 0xaf64724c8602eb6eULL % 64);
}

TEST_CASE("subject: of an event, with and without its saga") {
    CHECK(event_subject("payment", Kind::failed, "PaymentDeclined", "o1", false) ==
          "saga.payment.failed.PaymentDeclined.p61");
    CHECK(event_subject("payment", Kind::undone, "PaymentRefunded", "o1", true) ==
          "saga.payment.undone.PaymentRefunded.p61.o1");
    CHECK(event_subject("order", Kind::done, "OrderRequested",
                        "550e8400-e29b-41d4-a716-446655440000",
                        false) == "saga.order.done.OrderRequested.p08");
    CHECK(event_subject("order", Kind::ended, "OrderConfirmed", "o1", false) ==
          "saga.order.ended.OrderConfirmed.p61");
}

TEST_CASE("subject: of dead letters and requests, outside the stream") {
    CHECK(dead_letter_subject("payment", "StockReserved", "o1") ==
          "saga-dlq.payment.StockReserved.p61");
    CHECK(dead_letter_subject("payment", "", "") == "saga-dlq.payment.unknown.p00");
    CHECK(request_subject("payment", "books") == "saga-ctl.payment.books");
}

TEST_CASE("subject: the longest one stays below 256 characters") {
    const std::string name(kMaxName, 'n'), id(kMaxSagaId, 'i');
    CHECK(event_subject(name, Kind::failed, name, id, true).size() < 256);
    CHECK(dead_letter_subject(name, name, id).size() < 256);
}

TEST_CASE("subject: kinds have their names, both ways") {
    for (const Kind kind : {Kind::done, Kind::failed, Kind::undone, Kind::ended})
        CHECK(kind_of(name_of(kind)) == kind);
    CHECK(name_of(Kind::done) == "done");
    CHECK(name_of(Kind::failed) == "failed");
    CHECK(name_of(Kind::undone) == "undone");
    CHECK(name_of(Kind::ended) == "ended");
    for (const char* other : {"", "Done", "don", "dones", "*", ">"}) CHECK_FALSE(kind_of(other));
}

TEST_CASE("subject: of an event, taken apart") {
    const auto without = parse_event_subject("saga.payment.failed.PaymentDeclined.p61");
    REQUIRE(without);
    CHECK(without->service == "payment");
    CHECK(without->kind == Kind::failed);
    CHECK(without->event == "PaymentDeclined");
    CHECK(without->partition == "p61");
    CHECK(without->saga_id == "");
    const auto with = parse_event_subject("saga.payment.done.PaymentTaken.p61.o1");
    REQUIRE(with);
    CHECK(with->saga_id == "o1");
}

TEST_CASE("subject: what is no event's is none") {
    for (const char* subject :
         {"", ".", "saga", "saga.", "saga.payment", "saga.payment.failed",
          "saga.payment.failed.PaymentDeclined", "saga.payment.failed.PaymentDeclined.",
          "saga.payment.failed.PaymentDeclined.p7", "saga.payment.failed.PaymentDeclined.p07.",
          "saga.payment.failed.PaymentDeclined.p07..",
          "saga.payment.failed.PaymentDeclined.p07.o1.more",
          "saga.payment.failed.PaymentDeclined.p07.o1.", "saga.payment.lost.PaymentDeclined.p07",
          "saga..failed.PaymentDeclined.p07", "saga.payment.failed..p07",
          "saga-dlq.payment.failed.PaymentDeclined.p07",
          "Saga.payment.failed.PaymentDeclined.p07"}) {
        CAPTURE(subject);
        CHECK_FALSE(parse_event_subject(subject));
    }
}

TEST_CASE("subject: what is made is taken apart to the same, and bytes of any kind do no harm") {
    const std::string against = counterexample([](const std::string& seed, bool with_saga) {
        const std::string id = "s" + std::to_string(std::hash<std::string>()(seed));
        const Kind kind = static_cast<Kind>(seed.size() % 4);
        const std::string subject = event_subject("some_service", kind, "Event_1", id, with_saga);
        const auto parsed = parse_event_subject(subject);
        RC_ASSERT(parsed && parsed->service == "some_service" && parsed->kind == kind);
        RC_ASSERT(parsed->event == "Event_1" && parsed->partition == partition_token(id));
        RC_ASSERT(parsed->saga_id == (with_saga ? id : ""));
    });
    CHECK(against == "");
    const std::string harm = counterexample([](std::string subject, std::size_t at, char byte) {
        parse_event_subject(subject);
        std::string spoilt = "saga.payment.failed.PaymentDeclined.p07.o1";
        spoilt[at % spoilt.size()] = byte;
        const auto parsed = parse_event_subject(spoilt);
        if (parsed) RC_ASSERT(!parsed->service.empty() && parsed->partition.size() == 3);
    });
    CHECK(harm == "");
}
