#include <algorithm>
#include <nlohmann/json.hpp>

#include "saga/cli/landscape.hpp"
#include "saga/cli/schemas.hpp"
#include "saga/core/text.hpp"
#include "saga/flow/check.hpp"
#include "saga/flow/graph.hpp"
#include "tests/fuzz/targets.hpp"

namespace saga::fuzz {
namespace {

constexpr std::size_t kMostStates = 50;  // of a choreography that makes no sense

void plain(const std::string& text) {
    must(std::ranges::none_of(text,
                              [](char letter) {
                                  return static_cast<unsigned char>(letter) < 0x20 &&
                                         letter != '\n';
                              }),
         "a picture has control characters");
}

}  // namespace

void schema(Bytes input) {
    Input in(input);
    const std::size_t high = in.byte(), size = high << 8 | in.byte();
    const Bytes rest = in.rest(), bfbs = rest.first(std::min(size, rest.size()));
    const Bytes tail = rest.subspan(bfbs.size());
    const std::vector<std::byte> payload(tail.begin(), tail.end());
    const auto read = core::PayloadSchema::read(bfbs);
    if (!read) return;
    for (const std::string& table : read->tables()) {
        must(read->knows(table), "a schema does not know its table");
        const auto shown = read->json(table, payload);
        if (const auto* text = std::get_if<std::string>(&shown))
            must(nlohmann::json::accept(*text), "what is shown is no JSON");
    }
    cli::Schemas all;
    all.add(*read);
    for (const std::string& table : read->tables())
        (void)all.payload(table, payload)
            .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

void contract(Bytes input) {
    const std::string text(Input(input).text());
    cli::Landscape landscape;
    landscape.add("order", text);
    must(landscape.services().size() + landscape.unreadable().size() == 1,
         "a contract is neither read nor told to be unreadable");
    cli::Schemas schemas;
    schemas.add(landscape);
    std::vector<flow::Contract> all;
    for (const auto& [name, service] : landscape.services()) all.push_back(service);
    const flow::Graph graph = flow::graph_of(all);
    must(nlohmann::json::accept(flow::to_json(graph)), "a graph is no JSON");
    plain(flow::to_mermaid(graph));
    plain(flow::to_dot(graph));
    try {
        for (const flow::Finding& finding : flow::check(all, kMostStates).findings) {
            plain(to_text(finding));
            plain(to_mermaid(finding));
        }
    } catch (const Error&) {  // it is larger than can be explored
    }
}

}  // namespace saga::fuzz
