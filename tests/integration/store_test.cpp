// The disk is full; a message kills the process each time; the process is told to stop.
#include <fmt/format.h>
#include <signal.h>

#include "tests/integration/stage.hpp"

using namespace saga;
using namespace saga::testing;

namespace {

std::int64_t closed(Landscape& l) {
    return l.asking->value("SELECT count(*) FROM sagas WHERE ended_by = 'Closed'");
}

}  // namespace

TEST_CASE("store: a full disk pauses the service, which goes on when there is room") {
    on_each_landscape([](Landscape& l) {
        const auto pages = l.auditing->value("PRAGMA page_count");
        l.auditing->store().db().exec(fmt::format("PRAGMA max_page_count={}", pages));
        int asked = 0;
        const auto full = [&] { return l.auditing->state().starts_with("its disk is full"); };
        while (asked < 400 && !full()) l.ask(fmt::format("t{}", asked++), 1);
        REQUIRE(l.drive_all(full));
        CHECK(l.auditing->running());
        const auto checked = l.auditing->value("SELECT count(*) FROM checks");
        CHECK(checked < asked);
        CHECK(l.auditing->value("SELECT count(*) FROM outbox WHERE subject LIKE 'saga.%'") ==
              checked);
        l.auditing->store().db().exec("PRAGMA max_page_count=1000000");
        REQUIRE(l.drive_all([&] { return closed(l) == asked && l.at_rest(); }));
        CHECK(l.auditing->value("SELECT count(*) FROM checks") == asked);
        const Counted counted = count_stream(l.broker);
        CHECK(counted.names.at("Checked") == asked);
        for (const auto& each : counted.ids) CHECK_MESSAGE(each.second == 1, each.first);
    });
}

TEST_CASE("store: a message that kills the process each time is a dead letter in the end") {
    on_each_landscape([](Landscape& l) {
        l.auditing->stop();
        l.auditing.reset();
        l.ask("first", 1);
        l.ask("poison", 1);
        for (int i = 0; i < 3; ++i) l.ask(fmt::format("good{}", i), 1);
        int deaths = 0;
        const auto rest_closed = [&](Process& process) {
            REQUIRE(l.drive_all([&] { return !process.running() || closed(l) == 4; }));
            return closed(l) == 4;
        };
        for (; deaths < 10; ++deaths) {
            Process process = victim(l);
            if (!rest_closed(process)) {
                CHECK(process.wait() == 77);
                continue;
            }
            process.signal(SIGTERM);
            CHECK(process.wait() == 0);
            break;
        }
        CHECK(deaths == 1 + core::kMaxCrashes);  // the first was not counted beforehand
        CHECK(left(l, "auditor", "SELECT count(*) FROM parked WHERE state = 6") == 1);
        CHECK(left(l, "auditor", "SELECT count(*) FROM checks") == 4);
        CHECK(left(l, "auditor", "SELECT value FROM meta WHERE name = 'clean'") == 1);
    });
}

TEST_CASE("store: told to stop, it leaves nothing half done; killed, nothing is lost") {
    on_each_landscape([](Landscape& l) {
        l.auditing->stop();
        l.auditing.reset();
        int asked = 0;
        for (const int how : {SIGTERM, SIGKILL, SIGTERM, SIGKILL}) {
            Process process = victim(l);
            for (int i = 0; i < 5; ++i) l.ask(fmt::format("t{}", asked++), 1);
            REQUIRE(l.drive_all([&] { return closed(l) > asked - 5; }));
            process.signal(how);
            CHECK(process.wait() == (how == SIGTERM ? 0 : -SIGKILL));
        }
        l.start_auditor();
        REQUIRE(l.drive_all([&] { return closed(l) == asked && l.at_rest(); }));
        CHECK(l.auditing->value("SELECT count(*) FROM checks") == asked);
        CHECK(count_stream(l.broker).names.at("Checked") == asked);
    });
}
