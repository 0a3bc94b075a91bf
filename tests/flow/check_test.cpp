// Choreographies that are wrong, each by one mistake, and some that are right.
#include "saga/flow/check.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <random>

#include "tests/flow/choreography.hpp"

using namespace saga;
using namespace saga::test;

namespace {

constexpr std::size_t kMost = 200'000;  // states: the largest here has a tenth of it

std::string shop_with(std::string_view words, std::string_view instead) {
    std::string text(kShop);
    const auto at = text.find(words);
    REQUIRE(at != std::string::npos);
    return text.replace(at, words.size(), instead);
}

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

/// Some services with some steps, of which most do not fit together.
std::string random_choreography(std::uint32_t seed) {
    std::mt19937 random(seed);
    const auto draw = [&](std::size_t below) { return random() % below; };
    const auto one_in = [&](std::size_t n) { return draw(n) == 0; };
    const std::array<const char*, 3> services{"a", "b", "c"};
    std::vector<std::string> events{"Begun"}, failures;
    std::string text = "a: command begin -> Begun\n";
    if (one_in(3)) {
        text += "b: command poke -> Poked\n";
        events.emplace_back("Poked");
    }
    const std::size_t steps = 2 + draw(5);
    for (std::size_t i = 0; i < steps; ++i) {
        std::string on = events[draw(events.size())];
        if (one_in(3))
            if (const std::string& other = events[draw(events.size())]; other != on)
                on += " & " + other;
        text += fmt::format("{}: s{} on {}", services.at(draw(3)), i, on);
        if (!one_in(6)) text += fmt::format(" -> E{}", i);
        const bool fails = one_in(2);
        if (fails) text += fmt::format(" | !F{}", i);
        switch (draw(4)) {
            case 0:
                text += fmt::format(" undo ~U{}", i);
                break;
            case 1:
                text += " keeps";
                break;
            case 2:
                text += one_in(2) ? " pivot" : " keeps";
                break;
            default:
                break;
        }
        if (text.ends_with(fmt::format("~U{}", i)) && !failures.empty() && one_in(3))
            text += " undo_on " + failures[draw(failures.size())];
        if (one_in(8)) text += fmt::format(" expects {} asks A{}", events[draw(events.size())], i);
        if (i + 1 == steps || one_in(6)) text += " ends";
        text += "\n";
        if (text.find(fmt::format("-> E{}", i)) != std::string::npos)
            events.push_back(fmt::format("E{}", i));
        if (text.find(fmt::format("asks A{}", i)) != std::string::npos)
            events.push_back(fmt::format("A{}", i));
        if (fails) failures.push_back(fmt::format("F{}", i));
    }
    if (!one_in(4)) text += "a: reject on *failed -> ~Rejected ends\n";
    if (!failures.empty() && one_in(3))
        text += fmt::format("c: mourn on {} -> ~Mourned\n", failures[draw(failures.size())]);
    return text;
}

/// The shop with `instead` in place of some of its words, and `more` lines; without words `more` is
/// the whole.
struct Case {
    const char *name, *words, *instead, *more;
    const char* reasons;
};

constexpr std::array kBroken{
    Case{"a step that takes money forgets its undo", "calls undo ~Refunded expects",
         "calls expects", "", "left_standing payment.take"},
    Case{"stock is reserved for ever", " undo ~Released", "", "",
         "left_standing inventory.reserve"},
    Case{"an undo is for one failure only", "undo ~Refunded", "undo ~Refunded undo_on Refused", "",
         "left_standing payment.take"},
    Case{"an undo is for a failure that does not exist", "undo ~Refunded",
         "undo ~Refunded undo_on Refussed", "",
         "idle_undo payment.take; left_standing payment.take; no_source test.nobody.Refussed"},
    Case{"shipping does not wait for the payment", "ship on Requested & Taken", "ship on Requested",
         "", "after_pivot shipping.ship; no_reader test.payment.Taken"},
    Case{"a deadline fails the saga by itself", "asks Overdue", "asks !Overdue", "",
         "after_pivot shipping.ship"},
    Case{"order cancels by itself, beside the owner of the pivot", "", "",
         "order: stop on CancelRequested | !Stopped keeps", "after_pivot shipping.ship"},
    Case{"a name is misspelled", "confirm on Shipped", "confirm on Shiped", "",
         "never_ends Requested; no_source test.nobody.Shiped"},
    Case{"an event is for nobody", "", "", "inventory: count on Requested -> Counted keeps",
         "no_reader test.inventory.Counted"},
    Case{"a failed saga has no last word", "order: reject on *failed -> ~Rejected ends", "", "",
         "never_ends Cancelled; never_ends Declined; never_ends Refused; never_ends Short"},
    Case{"a saga that held has no last word", "-> Confirmed ends", "-> Confirmed", "",
         "never_ends Requested; no_reader test.order.Confirmed"},
    Case{"two say the last word", "", "", "shipping: close on Shipped -> Closed ends",
         "ends_twice shipping.close"},
    Case{"an order is confirmed when it is paid", "confirm on Shipped", "confirm on Taken", "",
         "ends_twice order.confirm"},
    Case{"a check runs beside the pivot", "", "", "fraud: look on Requested | !Fraud keeps",
         "after_pivot shipping.ship"},
    Case{"a step after the pivot can fail", "confirm on Shipped", "confirm on Labelled",
         "carrier: label on Shipped -> Labelled | !Unreachable", "after_pivot shipping.ship"},
    Case{"the last word waits for what is not always published", "confirm on Shipped",
         "confirm on Shipped & Insured",
         "shipping: insure on Shipped -> Noted + Insured keeps\norder: reads Noted",
         "waits_in_vain order.confirm"},
    Case{"two wait for each other", nullptr, "", R"(
            a: command begin -> Begun
            a: left on Begun & Right -> Left keeps
            b: right on Begun & Left -> Right keeps
            a: end on Right -> Ended ends)",
         "cycle a.left; waits_in_vain a.left; waits_in_vain b.right"},
    Case{"events go round", nullptr, "", R"(
            a: command begin -> Asked
            b: quote on Asked -> Quoted keeps
            a: haggle on Quoted -> Asked keeps
            a: end on Quoted -> Ended ends)",
         "cycle b.quote; twice b.quote"},
    Case{"one step is started by two events", "", "",
         "inventory: top_up on Requested -> Reserved keeps",
         "after_pivot shipping.ship; twice payment.take"},
    Case{"an undo that no failure can follow", "", "", "payment: book on Shipped undo ~Unbooked",
         "idle_undo payment.book"},
    Case{"a deadline asks nobody", "shipping: give_up on Overdue | !Cancelled keeps", "", "",
         "no_reader test.payment.Overdue"},
    Case{"a deadline waits for an event that nobody publishes", "expects Shipped",
         "expects Shipped Arrived", "", "no_source test.nobody.Arrived"},
    Case{"a read model of a service that is gone", "", "", "desk: reads Complained",
         "no_source test.nobody.Complained"},
    Case{"two say the last word of a saga that failed", "", "",
         "shipping: mourn on *failed -> ~Mourned ends", "ends_twice shipping.mourn"},
    Case{"the pivot is not done while its call is on its way", "!Refused pivot",
         "!Refused calls pivot", "", "after_pivot shipping.ship"},
    Case{"a command ends the saga, and a step fails it", nullptr, "", R"(
            a: command begin -> Begun ends
            b: work on Begun -> Worked undo ~Undone
            c: more on Worked | !Failed keeps
            a: reads Failed)",
         "ends_twice begin"},
    Case{"the seventh command fails it", nullptr, "", R"(
            a: command begin -> Begun
            a: end on Begun -> Ended ends
            a: reject on *failed -> ~Rejected ends
            a: command c0 -> C0
            a: command c1 -> C1
            a: command c2 -> C2
            a: command c3 -> C3
            a: command c4 -> C4
            a: command c5 -> C5
            a: command c6 -> C6
            a: reads C0
            a: reads C1
            a: reads C2
            a: reads C3
            a: reads C4
            a: reads C5
            b: stop on C6 | !Cancelled keeps)",
         "ends_twice a.end"},
    Case{"a failure of two steps starts a third twice", nullptr, "", R"(
            a: command begin -> Begun
            b: left on Begun | !Bad keeps
            c: right on Begun | !Bad keeps
            a: finish on Begun keeps
            a: reject on *failed -> ~Rejected ends
            d: tidy on Bad keeps)",
         "never_ends Begun; twice d.tidy"},
    Case{"an undo of what cleans up", "", "",
         "desk: note on Declined -> ~Noted undo ~Unnoted undo_on Cancelled",
         "idle_undo desk.note; no_reader test.desk.Noted"},
    Case{"another step of the event goes on while a call is on its way", nullptr, "", R"(
            a: command begin -> Begun
            b: check on Begun -> Checked | !Bad calls keeps
            b: take on Begun -> Taken
            a: end on Checked & Taken -> Ended ends
            a: reject on *failed -> ~Rejected ends)",
         "left_standing b.take"},
    Case{"nothing begins a saga", nullptr, "", R"(
            a: left on Right -> Left keeps
            b: right on Left -> Right ends)",
         "cycle a.left; no_command "},
};

constexpr std::array kRight{
    Case{"the shop", "", "", "", ""},
    Case{"the shop without a deadline", " expects Shipped asks Overdue", "",
         "payment: watch on Requested -> Overdue keeps", ""},
    Case{"a join that not every saga completes", "-> Shipped | !Refused",
         "-> Shipped + Insured | !Refused", "order: insure on Shipped & Insured keeps", ""},
    Case{"one step", nullptr, "", "a: command begin -> Begun\na: end on Begun -> Ended ends", ""},
    Case{"a trip of three, in parallel", nullptr, "", R"(
            trip: command plan -> Planned
            hotel: book on Planned -> HotelBooked | !HotelFull undo ~HotelFreed
            flight: book on Planned -> FlightBooked | !FlightFull undo ~FlightFreed
            car: book on Planned -> CarBooked | !NoCar calls undo ~CarFreed
            trip: confirm on HotelBooked & FlightBooked & CarBooked -> Confirmed ends
            trip: cancel on *failed -> ~Cancelled ends)",
         ""},
    Case{"commands of their own", nullptr, "", R"(
            store: command fill -> Filled ends
            store: command sell -> Sold
            till: take on Sold -> Taken ends)",
         ""},
    Case{"events for read models alone", nullptr, "", R"(
            a: command begin -> E0
            a: s0 on E0 -> E1 + N0 keeps
            a: s1 on E1 -> E2 + N1 keeps
            a: s2 on E2 -> E3 + N2 keeps
            a: end on E3 -> Ended ends
            b: reads N0
            b: reads N1
            b: reads N2)",
         ""},
    Case{"a deadline of the last word", nullptr, "", R"(
            a: command begin -> Begun
            a: end on Begun -> Ended ends expects Fed asks Late
            b: feed on Ended -> Fed keeps
            b: give_up on Late | !Failed keeps
            a: reject on *failed -> ~Rejected ends)",
         ""},
    Case{"a step for each event", nullptr, "", R"(
            shop: command order -> Ordered
            shop: pack on Ordered -> Packed keeps
            shop: wrap on Ordered -> Wrapped keeps
            shop: send on Packed & Wrapped -> Sent ends
            mail: write on Packed -> Written each keeps
            desk: reads Written)",
         ""},
};

void judge(const Case& each) {
    CAPTURE(each.name);
    const flow::Verdict verdict =
        judged(each.words == nullptr ? each.more : shop_with(each.words, each.instead) + each.more);
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
        const std::string text = random_choreography(seed);
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
            c: turn on Back -> Round each keeps)";
    for (const std::string& text : {many, std::string(round)}) {
        const flow::Verdict verdict = judged(text);
        CHECK(verdict.too_large);
        CHECK_FALSE(verdict.complete);
        CHECK(verdict.states == 0);
        CHECK(verdict.begins == std::vector<std::string>{"a.begin"});
    }
}
