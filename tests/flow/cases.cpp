#include "tests/flow/cases.hpp"

#include <array>
#include <saga/error.hpp>

#include "tests/flow/choreography.hpp"

namespace saga::test {
namespace {

constexpr std::array kWrong{
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
    Case{"the last word has an undo, and a step beside it can fail", nullptr, "", R"(
            a: command begin -> Begun
            c: check on Begun -> Checked | !Bad keeps
            c: close on Begun -> Closed undo ~Reopened ends
            a: reads Checked
            a: reject on *failed -> ~Rejected ends)",
         "ends_twice c.close; idle_undo c.close"},
    Case{"a join of a failure and of what leads on", nullptr, "", R"(
            a: command begin -> Begun
            b: work on Begun -> Worked | !Failed keeps
            c: pack on Begun -> Packed keeps
            a: end on Worked & Packed -> Ended ends
            a: close on Failed & Packed -> ~Closed ends)",
         "mixed_join a.close; never_ends Failed"},
    Case{"what cleans up publishes an event that begins a step elsewhere", nullptr, "", R"(
            a: command begin -> Begun
            b: work on Begun -> Worked | !Failed keeps
            b: instead on Failed -> Worked keeps
            a: end on Worked -> Ended ends
            a: reject on *failed -> ~Rejected ends)",
         "ends_twice a.reject"},
    Case{"an operator's undo asks a command that fails nothing", "", "", R"(
            order: command mark -> Marked undoes
            desk: mark on Marked -> Noted keeps
            desk: reads Noted)",
         "vain_undo order.mark"},
    Case{"nothing begins a saga", nullptr, "", R"(
            a: left on Right -> Left keeps
            b: right on Left -> Right ends)",
         "cycle a.left; no_command "},
};

constexpr std::array kSound{
    Case{"the shop", "", "", "", ""},
    Case{"the shop without a deadline", " expects Shipped asks Overdue", "",
         "payment: watch on Requested -> Overdue keeps", ""},
    Case{"a join that not every saga completes", "-> Shipped | !Refused",
         "-> Shipped + Insured | !Refused", "order: insure on Shipped & Insured keeps", ""},
    Case{"steps on a failure by its name, which say done in their contracts", nullptr, "", R"(
            a: command begin -> Begun
            b: work on Begun -> Worked | !Failed keeps
            a: end on Worked -> Ended ends
            b: tidy on Failed -> Tidied
            c: sweep on Tidied -> Swept
            a: close on Swept -> Closed ends)",
         ""},
    Case{"a step of the way forward and of the way back", nullptr, "", R"(
            a: command begin -> Begun
            b: work on Begun -> Worked | !Failed keeps
            b: more on Worked -> More | !Less keeps
            b: tidy on Failed -> More keeps
            a: reads More
            a: mail on More -> Mailed keeps
            a: end on Worked & Mailed -> Ended ends
            a: reject on *failed -> ~Rejected ends)",
         ""},
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

}  // namespace

const std::span<const Case> kBroken = kWrong, kRight = kSound;

std::string shop_with(std::string_view words, std::string_view instead) {
    std::string text(kShop);
    const auto at = text.find(words);
    if (at == std::string::npos) throw Error("the shop says nowhere: " + std::string(words));
    return text.replace(at, words.size(), instead);
}

std::string text_of(const Case& each) {
    return each.words == nullptr ? each.more : shop_with(each.words, each.instead) + each.more;
}

}  // namespace saga::test
