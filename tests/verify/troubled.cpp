#include "tests/verify/troubled.hpp"

#include <fmt/format.h>

#include "saga/core/subject.hpp"
#include "tests/landscape/landscape.hpp"

namespace saga::testing {
namespace {

using namespace std::chrono_literals;

constexpr auto kAllAttempts = 24h;  // of an event, a call, an undo

std::vector<std::byte> bytes_of(std::string_view text) {
    const auto* begin = reinterpret_cast<const std::byte*>(text.data());
    return {begin, begin + text.size()};
}

void ask(Village& village, const std::string& ticket, int amount) {
    village.command("asker", "ask", test::Ask{.ticket = ticket, .amount = amount});
}

/// The check outside answers; what is to be withdrawn meets silence.
std::vector<std::byte> outside(std::string_view subject, Bytes, std::string_view,
                               std::chrono::milliseconds) {
    if (subject != "test.check") throw Error("nobody answers");
    return detail::pack(test::Answer{.verdict = "sound"});
}

/// A grant that cannot be made, until its attempts are used up.
void make_dead(Village& village, const std::string& ticket) {
    village.exec("granter", fmt::format("INSERT INTO grants VALUES ('{}', 0)", ticket));
    ask(village, ticket, 1);
    village.elapse(kAllAttempts);
}

void operate(Village& village, const std::string& verb, const std::string& service) {
    const auto last = village.value(service, "SELECT max(position) FROM parked");
    const std::string answer =
        village.submit(service, verb, bytes_of(fmt::format(R"({{"id":"{}"}})", last)));
    CHECK(answer.find("accepted") != std::string::npos);
    village.settle();
}

void put_strange_things(Village& village) {
    const auto good = village.landscape().stream.front();
    village.inject("saga.asker.done.Asked.p00", bytes_of("this is no event"));
    village.inject("saga.asker.failed.Asked.p00", good.bytes);  // it is done, not failed
    const verify::Stored forged = with_id(good, 0);
    village.inject("saga.auditor.done.Checked.p00", forged.bytes);  // it is asker's
    village.settle();
}

}  // namespace

Village& troubled_village() {
    static Village village({asker(), granter(1min), undoing_auditor(), reader()}, outside);
    static const bool once = [] {
        ask(village, "held-1", 20);
        put_strange_things(village);
        make_dead(village, "retried-1");
        village.exec("granter", "DELETE FROM grants WHERE ticket = 'retried-1'");
        operate(village, "retry", "granter");
        make_dead(village, "skipped-1");
        operate(village, "skip", "granter");
        make_dead(village, "dead-1");
        return true;
    }();
    CHECK(once);
    return village;
}

}  // namespace saga::testing
