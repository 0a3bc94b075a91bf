#include "saga/flow/contract.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <saga/error.hpp>

using namespace saga;
using nlohmann::json;

namespace {

json sound() {
    return json::parse(R"({"format":1,"service":"payment","later":"is passed over",
      "steps":[{"name":"take","on":["shop.inventory.StockReserved"],
        "emits":[{"event":"shop.payment.PaymentTaken","kind":"done"},
                 {"event":"shop.payment.PaymentDeclined","kind":"failed"}],
        "fate":"undo","calls":true,"calls_subject":"bank.charge",
        "undo":{"on":["shop.shipping.Refused"],
                "emits":[{"event":"shop.payment.PaymentRefunded","kind":"undone"}],"calls":true},
        "expects":[{"after_ms":1800000,"answers":["shop.shipping.OrderShipped"],
                    "asks":[{"event":"shop.payment.ShippingOverdue","kind":"done"}]}]}],
      "reactions":["*"],
      "commands":[{"verb":"audit","request":"shop.payment.Audit","accepts":"shop.payment.Audited",
                   "ends_saga":true}],
      "schemas":["AAAA"]})");
}

std::string refusal(const json& contract) {
    try {
        flow::read_contract(contract);
    } catch (const Error& error) {
        return error.what();
    }
    return "none";
}

/// The sound contract with what stands at `place` replaced.
std::string refusal(const char* place, const json& other) {
    json contract = sound();
    contract[json::json_pointer(place)] = other;
    return refusal(contract);
}

}  // namespace

TEST_CASE("contract: is read as it was written") {
    const flow::Contract contract = flow::read_contract(sound());
    CHECK(contract.service == "payment");
    REQUIRE(contract.steps.size() == 1);
    const flow::Step& step = contract.steps.front();
    CHECK(step.calls);
    CHECK(step.calls_subject == "bank.charge");
    CHECK(step.undo_calls);
    CHECK(step.undo_calls_subject.empty());
    CHECK(step.undoes());
    CHECK(step.undone_by("shop.shipping.Refused"));
    CHECK_FALSE(step.undone_by("shop.inventory.StockShort"));
    CHECK(step.success()->event == "shop.payment.PaymentTaken");
    CHECK(step.emits.at(1).kind == Kind::failed);
    CHECK(step.undone.at(0).kind == Kind::undone);
    CHECK(step.expects.at(0).after == std::chrono::minutes(30));
    CHECK(contract.commands.at(0).ends_saga);
    CHECK(contract.reactions == std::vector<std::string>{"*"});
    CHECK(contract.schemas.size() == 1);
}

TEST_CASE("contract: what is wrong is named by its place") {
    CHECK(refusal(sound()) == "none");
    CHECK(refusal(json::array()) == "the contract is []: it is to be an object");
    CHECK(refusal(json::object()) == "the contract has no \"format\"");
    CHECK(refusal("/format", 2) == "format is 2: this program knows format 1");
    CHECK(refusal("/steps", "none") == "steps is \"none\": it is to be a list");
    CHECK(refusal("/steps/0/on", json::array()).ends_with("a step is \"on\" at least one event"));
    CHECK(refusal("/steps/0/on/0", "Reserved") ==
          "steps[0].on[0] is \"Reserved\": an event is a full name, such as "
          "\"shop.payment.PaymentTaken\"");
    CHECK(refusal("/steps/0/emits/1/kind", "faild") ==
          "steps[0].emits[1].kind is \"faild\": a kind is done, failed, undone or ended");
    CHECK(
        refusal("/steps/0/fate", "keeps").ends_with("\"undo\" and the fate \"undo\" go together"));
    CHECK(refusal("/steps/0/fate", "forget") ==
          "steps[0].fate is \"forget\": a fate is undo, pivot, keeps or empty");
    CHECK(refusal("/steps/0/calls", 1) == "steps[0].calls is 1: it is to be true or false");
    CHECK(refusal("/steps/0/expects/0/after_ms", "1h") ==
          "steps[0].expects[0].after_ms is \"1h\": it is to be a whole number");
    CHECK(refusal("/commands/0/accepts", 7) == "commands[0].accepts is 7: it is to be a text");
    CHECK(refusal("/service", std::string(1000, 'x')) == "none");
    CHECK(refusal("/format", std::string(1000, 'x')).size() < 120);
}
