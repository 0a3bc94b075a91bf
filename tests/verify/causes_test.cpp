// I6: causes, and the order of a saga.
#include "tests/landscape/landscape.hpp"
#include "tests/verify/damage.hpp"

using namespace saga;
using namespace saga::testing;

namespace {

void note(Tx&, const test::Asked&) {}
void file(Tx&, const test::Closed&) {}

/// Takes two events of one service's.
Service scribe() {
    Service service{"scribe"};
    service.step("note", note).keeps();
    service.step("file", file).keeps();
    return service;
}

Village& scribes_village() {
    static Village village({asker(), granter(), auditor(), scribe()});
    static const bool once = [] {
        village.command("asker", "ask", test::Ask{.ticket = "held-1", .amount = 20});
        return true;
    }();
    CHECK(once);
    return village;
}

/// Two events of asker's, in one saga, in the other order.
void overtake(verify::Landscape& all) {
    std::swap(find(all, ".Asked.").bytes, find(all, ".Closed.").bytes);
    std::swap(find(all, ".Asked.").subject, find(all, ".Closed.").subject);
}

constexpr auto kTurned = "UPDATE journal SET nth = 3 - nth";

}  // namespace

TEST_CASE("verify: I6 refutes an effect whose event is nowhere") {
    CHECK(refutes(damaged(small_village(), "reader",
                          "UPDATE inbox SET event_id = randomblob(16) WHERE saga = 1"),
                  "I6"));
    CHECK(refutes(damaged(small_village(), "granter",
                          "UPDATE journal SET event_id = randomblob(16) WHERE saga = 1"),
                  "I6"));
}
TEST_CASE("verify: I6 refutes an event whose cause is nowhere") {
    const auto without = [](const std::string& service, const std::string& event) {
        return changed(small_village(), [&](verify::Landscape& all) {
            std::erase_if(all.services, [&](const auto& each) { return each.service == service; });
            std::erase_if(all.stream, [&](const auto& each) {
                return each.subject.find(event) != std::string::npos;
            });
        });
    };
    CHECK(refutes(without("asker", ".Asked."), "I6"));
    CHECK(refutes(without("granter", ".Granted."), "I6"));
    CHECK_FALSE(has(without("granter", ".Nothing."), "I6"));
}
TEST_CASE("verify: I6 refutes steps that ran in another order than their events were committed") {
    CHECK(lines(verify::check(scribes_village().landscape(), {})) == "");
    CHECK(refutes(damaged(scribes_village(), "scribe", kTurned), "I6"));
    CHECK(damaged(scribes_village(), "scribe", kTurned, {.unordered = {"scribe"}}).empty());
}
TEST_CASE("verify: steps run in the order in which a broker that loses events delivers them") {
    Village& village = scribes_village();
    village.exec("scribe", "BEGIN");
    village.exec("scribe", kTurned);
    verify::Landscape all = village.landscape();
    overtake(all);
    all.stream_whole = false;
    const auto found = verify::check(all, {});
    village.exec("scribe", "ROLLBACK");
    CHECK_FALSE(has(found, "I6"));
}
TEST_CASE("verify: I6 refutes events of a saga that overtake each other on their way") {
    CHECK(refutes(changed(scribes_village(), overtake), "I6"));
}
