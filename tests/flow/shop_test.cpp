// The shop's real contracts: what is said of them elsewhere.
#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "saga/flow/check.hpp"
#include "saga/flow/graph.hpp"
#include "saga/runtime/contract_json.hpp"
#include "services/inventory/inventory.hpp"
#include "services/order/order.hpp"
#include "services/payment/payment.hpp"
#include "services/shipping/shipping.hpp"
#include "tests/flow/choreography.hpp"

using namespace saga;

namespace {

std::vector<flow::Contract> shop() {
    std::vector<flow::Contract> all;
    for (const Service& service :
         {inventory_service(), order_service(), payment_service(), shipping_service()})
        all.push_back(
            flow::read_contract(nlohmann::json::parse(runtime::contract_json(service.contract()))));
    return all;
}

}  // namespace

TEST_CASE("shop: comes to one end, whatever happens") {
    const flow::Verdict verdict = flow::check(shop(), 100'000);
    CHECK(verdict.complete);
    for (const flow::Finding& finding : verdict.findings) {
        MESSAGE(finding.says << "\n" << to_text(finding));
        CHECK(finding.says == "");
    }
}

TEST_CASE("shop: the picture in README.md is that of its contracts") {
    const char* sources = std::getenv("SOURCES");
    REQUIRE(sources != nullptr);
    std::ifstream file(std::string(sources) + "/README.md");
    const std::string readme{std::istreambuf_iterator<char>(file), {}};
    const std::string picture = "```mermaid\n" + to_mermaid(flow::graph_of(shop())) + "```\n";
    INFO("it is, as `saga graph` draws it:\n" << picture);
    CHECK(readme.find(picture) != std::string::npos);
}
