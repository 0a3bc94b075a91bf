// What time it is for a deadline, and for a handler.
#include <doctest/doctest.h>

#include "tests/unit/runtime/workshop.hpp"

using namespace saga;
using namespace saga::test;
using namespace std::chrono_literals;
using ::test::Answer;
using ::test::Asked;
using ::test::Granted;
using ::test::Overdue;
using ::test::Question;
using ::test::Rejected;
using ::test::Revoked;

namespace {

std::string text(Time time) {
    return std::to_string(time.time_since_epoch().count());
}

Granted grant(Tx&, const Asked& asked) {
    return {.ticket = asked.ticket};
}
Question ask_back(const View&, const Granted& granted) {
    return {.ticket = granted.ticket};
}
Answer never(const Call&, const Question&) {
    return {};
}
Revoked revoke(Tx&, const Granted& granted, const Answer&) {
    return {.ticket = granted.ticket};
}
Overdue note(Tx& tx, const Rejected&) {
    return {.ticket = text(tx.now())};
}
/// What clears up after a failure says when that was.
Service noting_granter() {
    Service service{"granter"};
    service.step("grant", grant).undo(call(ask_back, never, revoke));
    service.step("note", note);
    return service;
}

std::string noted(const Stream& stream) {
    for (const runtime::Delivery& each : stream.messages) {
        const auto read = core::decode(each.bytes);
        const auto& envelope = std::get<core::Envelope>(read);
        if (envelope.type == detail::type_of<Overdue>().full)
            return detail::unpack<Overdue>(envelope.payload).ticket;
    }
    return {};
}

/// Then, and a minute before it not yet.
void check_overdue_after(std::chrono::minutes time, Workshop& granter, Stream& stream) {
    stream.now += time - 1min;
    granter.work();
    CHECK(stream.count("Overdue") == 0);
    stream.now += 1min;
    granter.work();
    CHECK(stream.count("Overdue") == 1);
}

}  // namespace

TEST_CASE("times: a deadline counts from when its step succeeded, however old what started it") {
    Stream stream;
    Workshop granter{testing::granter(1h), stream};
    stream.put(Asked{.ticket = "t", .amount = 1}, "t");
    stream.now += 2h;  // it was down
    granter.work();
    CHECK(stream.count("Granted") == 1);
    check_overdue_after(60min, granter, stream);
}

TEST_CASE("times: a database that is rebuilt counts from when its first life succeeded") {
    Stream stream;
    {
        Workshop granter{testing::granter(1h), stream};
        stream.put(Asked{.ticket = "t", .amount = 1}, "t");
        stream.now += 2h;
        granter.work();
    }
    stream.now += 30min;
    Workshop rebuilt{testing::granter(1h), stream};
    rebuilt.begin_catch_up();
    rebuilt.work();
    rebuilt.end_catch_up();
    check_overdue_after(30min, rebuilt, stream);
}

TEST_CASE("times: beside an undo, what follows a failure sees the failure's time") {
    Stream stream;
    {
        Workshop granter{noting_granter(), stream};
        stream.put(Asked{.ticket = "t", .amount = 1}, "t");
        granter.work();
        stream.now += 1min;
        const Time failed = stream.now;
        stream.put(Rejected{.ticket = "t"}, "t", Kind::failed, "Rejected");
        stream.now += 1h;
        granter.work();
        CHECK(noted(stream) == text(failed));
        stream.now += 1h;
        granter.in().answers.push_back({.call = 1, .answer = detail::pack(Answer{}), .why = {}});
        granter.work();
        REQUIRE(stream.count("Revoked") == 1);
    }
    Workshop rebuilt{noting_granter(), stream};
    rebuilt.begin_catch_up();
    stream.now += 1h;
    rebuilt.work();
    rebuilt.end_catch_up();
    rebuilt.work();
    CHECK(rebuilt.value("SELECT count(*) FROM parked") == 0);
    CHECK(rebuilt.letters().empty());
}
