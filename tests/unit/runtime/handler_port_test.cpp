// What a handler is given of the service's database.
#include <doctest/doctest.h>

#include "tests/unit/runtime/workshop.hpp"

using namespace saga;
using namespace saga::test;
using namespace std::chrono_literals;
using ::test::Checked;
using ::test::Closed;
using ::test::Granted;
using ::test::Rejected;

namespace {

Outcome<Checked, Rejected> check(Tx& tx, const Granted& granted) {
    tx.lock({"desk"});
    return Checked{.ticket = granted.ticket};
}
Service auditor_of_one_desk() {
    Service service{"auditor"};
    service.step("check", check).pivot();
    return service;
}

}  // namespace

TEST_CASE("handler_port: a lock is its saga's until that has ended, however long others wait") {
    Stream stream;
    Workshop auditor{auditor_of_one_desk(), stream};
    stream.put(Granted{.ticket = "first"}, "first");
    stream.put(Granted{.ticket = "second"}, "second");
    for (int hour = 0; hour < 12; ++hour) {
        auditor.work();
        stream.now += 1h;
    }
    CHECK(stream.count("Checked") == 1);
    CHECK(auditor.value("SELECT attempts FROM parked") > 10);
    stream.put(Closed{.ticket = "first"}, "first", Kind::ended);
    auditor.work();
    CHECK(stream.count("Checked") == 2);
    CHECK(auditor.value("SELECT count(*) FROM parked") == 0);
}
