#include "saga/flow/asyncapi.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <saga/error.hpp>

#include "flow_shapes.hpp"
#include "saga/flow/json_schema.hpp"
#include "tests/flow/choreography.hpp"

using namespace saga;
using namespace saga::test;
using nlohmann::ordered_json;

namespace {

core::PayloadSchema shapes() {
    const std::string_view bytes = ::test::shapes::kShapesSchema;
    return *core::PayloadSchema::read(std::as_bytes(std::span(bytes)));
}

ordered_json document(std::string_view text, const std::vector<core::PayloadSchema>& schemas = {}) {
    return flow::to_asyncapi(choreography(text), schemas, {.title = "Test", .version = "1"});
}

/// Every "$ref" in it leads somewhere.
void check_references(const ordered_json& all, const ordered_json& at) {
    if (at.is_object() && at.contains("$ref")) {
        const std::string to = at["$ref"].get<std::string>().substr(1);
        CAPTURE(to);
        CHECK(all.contains(ordered_json::json_pointer(to)));
    }
    if (at.is_structured())
        for (const ordered_json& each : at) check_references(all, each);
}

}  // namespace

TEST_CASE("json schema: says of each field what its JSON is") {
    auto all = ordered_json::object();
    REQUIRE(flow::add_json_schema(shapes(), "test.shapes.Everything", all));
    const ordered_json& found = all["test.shapes.Everything"];
    const ordered_json& of = found["properties"];
    CHECK(found["required"].dump() == R"(["last"])");
    CHECK(of["yes"].dump() == R"({"type":"boolean","default":false})");
    CHECK(of["tiny"].dump() == R"({"type":"integer","minimum":-128,"maximum":127,"default":0})");
    CHECK(of["small"].dump() == R"({"type":"integer","minimum":0,"maximum":65535,"default":7})");
    CHECK(of["least"].dump() == R"({"type":"integer","format":"int64","default":0})");
    CHECK(of["most"].dump() == R"({"type":"integer","format":"uint64","minimum":0,"default":0})");
    CHECK(of["real"].dump() == R"({"type":"number","format":"double","default":0.0})");
    CHECK_FALSE(of["maybe"].contains("default"));
    CHECK(of["colour"].dump() ==
          R"({"anyOf":[{"type":"string","enum":["red","green","blue"]},{"type":"integer"}]})");
    CHECK(of["where"].dump() == R"({"$ref":"#/components/schemas/test.shapes.Point"})");
    CHECK(of["raw"].dump() == R"({"type":"string","contentEncoding":"base64"})");
    CHECK(of["words"].dump() == R"({"type":"array","items":{"type":"string"}})");
    CHECK(of["colours"]["items"] == of["colour"]);
    CHECK(of["leaves"]["items"].dump() == R"({"$ref":"#/components/schemas/test.shapes.Leaf"})");
    CHECK(of["any"].dump() ==
          R"({"anyOf":[{"type":"null"},{"$ref":"#/components/schemas/test.shapes.Leaf"},)"
          R"({"$ref":"#/components/schemas/test.shapes.Point"},{"type":"string"}]})");
    CHECK(of["all"]["items"]["anyOf"].size() == 4);
    for (const auto* none : {"gone", "any_type", "all_type"}) CHECK_FALSE(of.contains(none));
    const ordered_json& box = all["test.shapes.Box"];
    CHECK(box["required"].dump() == R"(["corner","sides","colour"])");
    CHECK(box["properties"]["sides"]["minItems"] == 2);
}

TEST_CASE("json schema: tables that stand in each other, and one that is not there") {
    auto all = ordered_json::object();
    CHECK(flow::add_json_schema(shapes(), "test.shapes.Node", all));
    CHECK(all.size() == 2);
    CHECK(all["test.shapes.Pair"]["properties"]["left"].dump() ==
          R"({"$ref":"#/components/schemas/test.shapes.Node"})");
    CHECK_FALSE(flow::add_json_schema(shapes(), "test.shapes.Nobody", all));
    CHECK_FALSE(flow::add_json_schema(shapes(), "test.shapes.Point", all));
    CHECK(all.size() == 2);
}

TEST_CASE("asyncapi: a channel for each event, with the kinds that it may have") {
    const auto all = document(kShop);
    CHECK(all["asyncapi"] == "3.0.0");
    const ordered_json& taken = all["channels"]["payment.Taken"];
    CHECK(taken["address"] == "saga.payment.{kind}.Taken.{partition}");
    CHECK(taken["parameters"]["kind"]["enum"].dump() == R"(["done","undone"])");
    CHECK(taken["x-jetstream"]["subject"] == "saga.payment.*.Taken.>");
    const ordered_json& declined = all["channels"]["payment.Declined"];
    CHECK(declined["address"] == "saga.payment.failed.Declined.{partition}");
    CHECK_FALSE(declined["parameters"].contains("kind"));
    check_references(all, all);
    CHECK(all == document(kShop));
}

TEST_CASE("asyncapi: who sends an event, who receives it, and what for") {
    const auto all = document(kShop);
    const ordered_json& operations = all["operations"];
    CHECK(operations["payment.send.Taken"]["action"] == "send");
    const ordered_json& ship = operations["shipping.receive.Taken"];
    CHECK(ship["action"] == "receive");
    CHECK(ship["channel"]["$ref"] == "#/channels/payment.Taken");
    CHECK(ship["x-saga"]["for"].dump() == R"(["ship"])");
    CHECK(ship["x-jetstream"]["consumer"] == "shipping");
    CHECK(operations["inventory.receive.Declined"]["x-saga"]["for"].dump() ==
          R"(["undo of reserve"])");
    CHECK(operations["order.receive.Refused"]["x-saga"]["for"].dump() == R"(["reject"])");
    CHECK(operations["payment.receive.Shipped"]["x-saga"]["for"].dump() ==
          R"(["deadline of take"])");
    CHECK(operations["order.receive.CancelRefused"]["x-saga"]["for"].dump() == R"(["reaction"])");
    const ordered_json& place = operations["order.answer.place"];
    CHECK(place["action"] == "receive");
    CHECK(place["reply"]["channel"]["$ref"] == "#/channels/answers");
    CHECK(all["channels"]["order.place"]["address"] == "saga-ctl.order.place");
}

TEST_CASE("asyncapi: a payload has its schema where somebody carries it") {
    flow::Contract contract{.service = "shapes",
                            .steps = {},
                            .reactions = {},
                            .commands = {{.verb = "put",
                                          .request = "test.shapes.Order",
                                          .accepts = "test.shapes.Rejected",
                                          .ends_saga = true}},
                            .questions = {"all"},
                            .schemas = {}};
    const auto made = [&] {
        return flow::to_asyncapi(std::vector{contract}, std::vector{shapes()},
                                 {.title = "Shapes", .version = "1"});
    };
    const auto all = made();
    CHECK(all["components"]["messages"]["test.shapes.Rejected"]["payload"]["$ref"] ==
          "#/components/schemas/test.shapes.Rejected");
    CHECK(all["components"]["schemas"].contains("test.shapes.Line"));
    CHECK(all["channels"]["shapes.Rejected"]["address"] ==
          "saga.shapes.ended.Rejected.{partition}");
    check_references(all, all);
    contract.commands[0].accepts = "test.other.Rejected";
    CHECK_THROWS_AS(made(), Error);
    contract.commands[0].accepts = "test.shapes.Rejected";
    contract.commands[0].verb = "a b";
    CHECK_THROWS_AS(made(), Error);
}
