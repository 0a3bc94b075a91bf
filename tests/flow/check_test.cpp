#include "saga/flow/check.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <saga/error.hpp>

#include "tests/flow/cases.hpp"
#include "tests/flow/choreography.hpp"

using namespace saga;
using namespace saga::test;

namespace {

constexpr std::size_t kMost = 200'000;  // states: the largest here has a tenth of it

flow::Verdict judged(std::string_view text) {
    return flow::check(choreography(text), kMost);
}

/// "left_standing payment.take", each once, in alphabetical order.
std::string reasons(const flow::Verdict& verdict) {
    std::vector<std::string> all;
    for (const flow::Finding& finding : verdict.findings)
        all.push_back(fmt::format("{} {}", flow::name_of(finding.what), finding.about));
    std::ranges::sort(all);
    return fmt::format("{}", fmt::join(all, "; "));
}

/// Tells all that was found, when a test fails.
std::string told(const flow::Verdict& verdict) {
    std::string out;
    for (const flow::Finding& finding : verdict.findings)
        out += fmt::format("{} {}: {}\n{}", flow::name_of(finding.what), finding.about,
                           finding.says, to_text(finding));
    return out;
}

void judge(const Case& each) {
    CAPTURE(each.name);
    const flow::Verdict verdict = judged(text_of(each));
    CAPTURE(told(verdict));
    CHECK(verdict.complete);
    CHECK(reasons(verdict) == each.reasons);
}

}  // namespace

TEST_CASE("check: each mistake is refuted, with its reason and no other") {
    for (const Case& each : kBroken) judge(each);
}

TEST_CASE("check: what is right passes") {
    for (const Case& each : kRight) judge(each);
}

TEST_CASE("check: a finding tells the shortest way to it") {
    const flow::Verdict verdict = judged(shop_with("confirm on Shipped", "confirm on Taken"));
    REQUIRE(verdict.findings.size() == 1);
    const flow::Finding& finding = verdict.findings.front();
    CHECK(finding.says ==
          "order.confirm ends the saga well, and it can fail all the same: Refused");
    CHECK(to_text(finding) == R"(    client    -> order      Requested
    order     -> inventory  Requested  reserve: Reserved
    inventory -> payment    Reserved   take: Taken
    payment   -> order      Taken      confirm: Confirmed
    payment   -> shipping   Taken      ship fails: Refused
)");
    CHECK(to_mermaid(finding) == R"(sequenceDiagram
    participant client
    participant order
    participant inventory
    participant payment
    participant shipping
    client->>order: Requested
    order->>inventory: Requested
    Note over inventory: reserve: Reserved
    inventory->>payment: Reserved
    Note over payment: take: Taken
    payment->>order: Taken
    Note over order: confirm: Confirmed
    payment->>shipping: Taken
    Note over shipping: ship fails: Refused
)");
}

TEST_CASE("check: twelve services with forty events, in parallel and in a row") {
    std::string text =
        "order: command place -> Placed\norder: reject on *failed -> ~Rejected ends\n";
    const auto add = [&](const std::string& name, const std::string& on) {
        text +=
            fmt::format("{0}: do on {1} -> {0}Done | !{0}Failed calls undo ~{0}Undone\n", name, on);
        return name + "Done";
    };
    std::string before = "Placed";
    for (int stage = 0; stage < 5; ++stage) {
        const std::string left = add(fmt::format("l{}", stage), before);
        const std::string right = add(fmt::format("r{}", stage), before);
        before = fmt::format("{} & {}", left, right);
    }
    text += "pivot: go on " + before +
            " -> Gone | !Stayed pivot\norder: confirm on Gone -> Confirmed ends\n";
    const flow::Verdict verdict = judged(text);
    CAPTURE(told(verdict));
    CHECK(verdict.complete);
    CHECK(verdict.findings.empty());
    CHECK(verdict.states < 2'000);  // all orders are more than a million
}

TEST_CASE("check: the orders that are left out would show nothing else") {
    std::size_t all = 0, enough = 0, judged = 0, broken = 0;
    for (std::uint32_t seed = 1; seed <= 1'500; ++seed) {
        const std::string text =
            seed % 2 == 0 ? plausible_choreography(seed) : random_choreography(seed);
        const std::vector<flow::Contract> contracts = choreography(text);
        const flow::Verdict whole = flow::check(contracts, 20'000, flow::Orders::all);
        if (!whole.complete) continue;
        const flow::Verdict part = flow::check(contracts, 20'000);
        CAPTURE(seed);
        CAPTURE(text);
        CAPTURE(told(whole));
        CAPTURE(told(part));
        REQUIRE(reasons(part) == reasons(whole));
        all += whole.states;
        enough += part.states;
        ++judged;
        broken += whole.findings.empty() ? 0 : 1;
    }
    CHECK(judged > 1'000);
    CHECK(broken < judged);
    MESSAGE(judged << " judged, " << broken << " of them broken; " << enough << " of " << all
                   << " states");
}

TEST_CASE("check: more states than allowed prove nothing, and are said to") {
    CHECK_FALSE(flow::check(choreography(kShop), 10).complete);
}

TEST_CASE("check: what is larger than any number of states is not explored, and said to be") {
    std::string many = "a: command begin -> Begun\na: end on Begun -> Ended ends\n";
    for (int i = 0; i < 7; ++i)
        many += fmt::format("a: command c{0} -> C{0}\nb: note{0} on C{0} keeps\n", i);
    const char* round = R"(
            a: command begin -> Begun
            a: end on Begun -> Ended ends
            b: again on Begun -> Round keeps
            b: turn on Round -> Back each keeps
            c: turn on Back -> Again each keeps
            b: once_more on Again -> Round each keeps)";
    for (const std::string& text : {many, std::string(round)}) {
        const flow::Verdict verdict = judged(text);
        CHECK(verdict.too_large);
        CHECK_FALSE(verdict.complete);
        CHECK(verdict.states == 0);
        CHECK(verdict.begins == std::vector<std::string>{"a.begin"});
    }
}

TEST_CASE("check: an event of another service is refused, whoever publishes it") {
    std::vector<flow::Contract> shop = choreography(kShop);
    const auto payment = std::ranges::find(shop, "payment", &flow::Contract::service);
    REQUIRE(payment != shop.end());
    payment->steps.front().emits.front().event = "test.order.Taken";
    CHECK_THROWS_WITH_AS(flow::check(shop, kMost),
                         "payment cannot publish test.order.Taken: an event belongs to the service "
                         "that the last word before its name says",
                         Error);
}
