// Calls that are open when their saga fails: the answer is awaited, settled, and undone outside.
#include <signal.h>

#include <nlohmann/json.hpp>

#include "tests/integration/outside.hpp"
#include "tests/integration/stage.hpp"

using namespace saga;
using namespace saga::testing;

namespace {

using Words = std::vector<std::string>;

/// Somebody else fails the saga, as any service of a landscape may; where the failure stands.
std::uint64_t fail(const Broker& broker, const std::string& saga) {
    const Time now =
        std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
    const auto payload = detail::pack(test::Denied{.ticket = saga});
    return inject(broker, {.id = any_id(9),
                           .type = "test.stranger.Broken",
                           .saga = saga,
                           .started = now,
                           .source = "stranger",
                           .time = now,
                           .kind = Kind::failed,
                           .step = "break",
                           .because = "Broken",
                           .payload = payload});
}

bool calls_are_over(Landscape& l) {
    return l.at_rest() && l.auditing->value("SELECT count(*) FROM calls") == 0;
}

/// The saga failed, everybody took back what was done, and everything is in the stream once.
void check_undone(const Landscape& l, bool settled) {
    const Counted counted = count_stream(l.broker);
    for (const auto& each : counted.ids) CHECK_MESSAGE(each.second == 1, each.first);
    const auto times = [&](const char* name) {
        const auto found = counted.names.find(name);
        return found == counted.names.end() ? 0 : found->second;
    };
    CHECK(times("Checked") == (settled ? 1 : 0));
    CHECK(times("Withdrawn") == (settled ? 1 : 0));
    CHECK(times("Rejected") == (settled ? 0 : 1));
    CHECK(times("Revoked") == 1);
    CHECK(times("GaveUp") == 1);
    CHECK(times("Closed") == 0);
}

/// An auditor whose call is open, of a saga that has failed since.
void open_and_failed(Landscape& l, Outside& outside) {
    outside.silence("test.check");
    l.ask("t", 1);
    REQUIRE(l.drive_all([&] { return outside.asked("test.check") >= 1; }));
    REQUIRE(fail(l.broker, "t") > 0);
    REQUIRE(l.drive_all([&] {
        return l.auditing->value("SELECT count(*) FROM sagas WHERE failed_by != ''") == 1 &&
               ended(*l.asking) == 1;
    }));
    CHECK(l.auditing->value("SELECT count(*) FROM journal WHERE state = 1") == 1);
    CHECK(outside.done("test.withdraw") == 0);
}

template <class Test>
void with_outside(Test test) {
    on_each_server([&](const std::string& binary) {
        Outside outside;
        Landscape l(binary, undoing_auditor(), {.ask = outside.ask()});
        test(l, outside);
    });
}

void restart_killed(Landscape& l) {
    l.auditing->kill();
    l.start_auditor();
    REQUIRE(l.drive_all([&] { return l.ready(); }));
}

/// Where the process that runs as auditor stands.
std::uint64_t cursor_of(const Landscape& l) {
    const auto state = nlohmann::json::parse(request(l.broker, {}, "saga-ctl.auditor.state", ""));
    return state.value("cursor", std::uint64_t{0});
}

}  // namespace

TEST_CASE("call: open when its saga fails, it is awaited, settled and undone") {
    with_outside([](Landscape& l, Outside& outside) {
        open_and_failed(l, outside);
        outside.speak();
        REQUIRE(l.drive_all([&] { return calls_are_over(l); }));
        CHECK(outside.order() == Words{"test.check", "test.withdraw"});
        CHECK(l.auditing->value("SELECT count(*) FROM checks") == 0);
        CHECK(l.auditing->value("SELECT count(*) FROM journal WHERE state = 5") == 1);
        check_undone(l, true);
    });
}

TEST_CASE("call: a no to a saga that failed meanwhile leaves nothing to undo") {
    with_outside([](Landscape& l, Outside& outside) {
        open_and_failed(l, outside);
        outside.say("no");
        outside.speak();
        REQUIRE(l.drive_all([&] { return calls_are_over(l); }));
        CHECK(outside.order() == Words{"test.check"});
        check_undone(l, false);
    });
}

TEST_CASE("call: killed at each of its stages in a failed saga, it is done and undone once") {
    with_outside([](Landscape& l, Outside& outside) {
        open_and_failed(l, outside);
        restart_killed(l);
        outside.silence("test.withdraw");
        const int before = outside.asked("test.check");
        REQUIRE(l.drive_all([&] { return outside.asked("test.check") > before; }));
        restart_killed(l);
        outside.speak();
        outside.silence("test.withdraw");
        REQUIRE(l.drive_all([&] { return outside.asked("test.withdraw") >= 1; }));
        CHECK(l.auditing->value("SELECT count(*) FROM checks") == 1);
        restart_killed(l);
        outside.speak();
        REQUIRE(l.drive_all([&] { return calls_are_over(l); }));
        CHECK(outside.order() == Words{"test.check", "test.withdraw"});
        CHECK(l.auditing->value("SELECT count(*) FROM checks") == 0);
        check_undone(l, true);
    });
}

TEST_CASE("call: a process killed before the answer, and before the undo's, does both once") {
    on_each_server([](const std::string& binary) {
        Landscape l(binary);
        Outside outside;
        outside.serve(l.broker);
        l.auditing->stop();
        l.auditing.reset();
        outside.silence("test.check");
        outside.silence("test.withdraw");
        {
            Process process = victim(l, {"VICTIM=calling"});
            l.ask("t", 1);
            REQUIRE(l.drive_all([&] { return outside.asked("test.check") >= 1; }));
            const std::uint64_t failure = fail(l.broker, "t");
            REQUIRE(l.drive_all([&] { return cursor_of(l) >= failure; }));
            process.signal(SIGKILL);
            CHECK(process.wait() == -SIGKILL);
        }
        CHECK(left(l, "auditor", "SELECT count(*) FROM journal WHERE state = 1") == 1);
        outside.speak();
        outside.silence("test.withdraw");
        {
            Process process = victim(l, {"VICTIM=calling"});
            REQUIRE(l.drive_all([&] { return outside.asked("test.withdraw") >= 1; }));
            process.signal(SIGKILL);
            CHECK(process.wait() == -SIGKILL);
        }
        CHECK(left(l, "auditor", "SELECT count(*) FROM checks") == 1);
        outside.speak();
        Process process = victim(l, {"VICTIM=calling"});
        REQUIRE(l.drive_all([&] { return count_stream(l.broker).names.contains("Withdrawn"); }));
        process.signal(SIGTERM);
        CHECK(process.wait() == 0);
        CHECK(left(l, "auditor", "SELECT count(*) FROM checks") == 0);
        CHECK(left(l, "auditor", "SELECT count(*) FROM calls") == 0);
        CHECK(outside.order() == Words{"test.check", "test.withdraw"});
        check_undone(l, true);
    });
}
