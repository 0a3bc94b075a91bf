#include "saga/flow/graph.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tests/flow/choreography.hpp"

using namespace saga;
using namespace saga::test;

namespace {

/// "payment.take -undo-> inventory.reserve: Short", in alphabetical order.
std::string edges(const flow::Graph& graph) {
    constexpr std::array<std::string_view, 5> kWhat{"forward", "failure", "undo", "timer",
                                                    "missing"};
    const auto name = [&](std::size_t at) {
        const flow::Node& node = graph.nodes[at];
        return node.service.empty() ? node.name : node.service + "." + node.name;
    };
    std::vector<std::string> all;
    for (const flow::Edge& edge : graph.edges) {
        std::string events;
        for (const std::string& event : edge.events)
            events += " " + event.substr(event.rfind('.') + 1);
        all.push_back(fmt::format("{} -{}-> {}:{}", name(edge.from),
                                  kWhat.at(static_cast<std::size_t>(edge.what)), name(edge.to),
                                  events));
    }
    std::ranges::sort(all);
    return fmt::format("{}", fmt::join(all, "\n"));
}

}  // namespace

TEST_CASE("graph: shows who starts, fails and undoes whom in the shop") {
    CHECK(edges(flow::graph_of(choreography(kShop))) ==
          R"(inventory.reserve -failure-> order.reject: Short
inventory.reserve -forward-> payment.take: Reserved
order.cancel -forward-> shipping.stop: CancelRequested
order.place -forward-> inventory.reserve: Requested
order.place -forward-> order.open: Requested
order.place -forward-> shipping.ship: Requested
payment.take -failure-> order.reject: Declined
payment.take -forward-> shipping.ship: Taken
payment.take -timer-> shipping.give_up: Overdue
payment.take -undo-> inventory.reserve: Declined
shipping.give_up -failure-> order.reject: Cancelled
shipping.give_up -undo-> inventory.reserve: Cancelled
shipping.give_up -undo-> payment.take: Cancelled
shipping.ship -failure-> order.reject: Refused
shipping.ship -forward-> order.confirm: Shipped
shipping.ship -undo-> inventory.reserve: Refused
shipping.ship -undo-> payment.take: Refused
shipping.stop -failure-> order.reject: Cancelled
shipping.stop -forward-> order.test.shipping.CancelRefused: CancelRefused
shipping.stop -undo-> inventory.reserve: Cancelled
shipping.stop -undo-> payment.take: Cancelled)");
}

TEST_CASE("graph: nobody stands for a reader or a source that is missing") {
    const auto all = edges(flow::graph_of(choreography(R"(
        a: command begin -> Begun
        a: work on Begun -> Worked
        b: end on Wroked -> Ended ends
        b: reads Gone)")));
    CHECK(all ==
          "a.begin -forward-> a.work: Begun\n"
          "a.work -missing-> nobody: Worked\n"
          "nobody -missing-> b.end: Wroked\n"
          "nobody -missing-> b.test.nobody.Gone: Gone");
}

TEST_CASE("graph: an undo is drawn only where its step may have run before the failure") {
    const auto all = edges(flow::graph_of(choreography(R"(
        a: command begin -> Begun
        a: first on Begun -> First undo ~Undone
        b: second on First -> Second | !Failed undo ~Back
        c: third on Second | !Late
        a: end on *failed -> ~Ended ends)")));
    CHECK(all.find("b.second -undo-> a.first: Failed\n") != std::string::npos);
    CHECK(all.find("c.third -undo-> a.first: Late\n") != std::string::npos);
    CHECK(all.find("c.third -undo-> b.second: Late") != std::string::npos);
    CHECK(all.find("b.second -undo-> b.second") == std::string::npos);
}

TEST_CASE("graph: what names hold stays within its quotes, in each language") {
    std::vector<flow::Contract> contracts = choreography("a: command begin -> Begun");
    contracts[0].service = "a\"]\nclick";
    contracts[0].commands[0].verb = "<b>`\\\"";
    const flow::Graph graph = flow::graph_of(contracts);
    for (const std::string& text : {flow::to_mermaid(graph), flow::to_dot(graph)}) {
        CAPTURE(text);
        CHECK(text.find("a_]_click") != std::string::npos);
        CHECK(text.find("_b____") != std::string::npos);
    }
}

TEST_CASE("graph: a saga's events are marked in each language") {
    const std::vector<flow::Contract> contracts = choreography(
        "a: command begin -> Begun\n"
        "a: end on Begun -> Ended ends");
    const flow::Graph graph = flow::graph_of(contracts);
    const std::set<std::string> happened{"test.a.Begun"};
    CHECK(flow::to_mermaid(graph) == R"(flowchart LR
  subgraph s0["a"]
    n0(["begin"])
    n1[["end"]]
  end
  n0 -->|"Begun"| n1
)");
    CHECK(flow::to_mermaid(graph, happened)
              .ends_with("linkStyle 0 stroke:#2b8a3e,stroke-width:4px\n"));
    CHECK(flow::to_dot(graph).find("penwidth") == std::string::npos);
    CHECK(flow::to_dot(graph, happened).find("penwidth=3") != std::string::npos);
    const auto json = nlohmann::json::parse(flow::to_json(graph, happened));
    REQUIRE(json["edges"].size() == 1);
    CHECK(json["edges"][0]["happened"] == true);
    CHECK(json["nodes"][json["edges"][0]["to"].get<std::size_t>()]["name"] == "end");
}
