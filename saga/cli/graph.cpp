// saga graph: who says what to whom, drawn from contracts.
#include "saga/flow/graph.hpp"

#include <fmt/format.h>
#include <sys/wait.h>

#include <cstdio>
#include <set>

#include "saga/cli/command_line.hpp"
#include "saga/cli/contracts.hpp"
#include "saga/cli/dev_config.hpp"
#include "saga/cli/inquiry.hpp"
#include "saga/cli/output.hpp"

namespace saga::cli {
namespace {

struct Given {
    ContractSources sources;
    std::string format = "mermaid", saga;
};

/// Graphviz writes to stdout itself.
void draw(const std::string& dot) {
    if (on_path("dot").empty())
        throw Stop(kError,
                   "an SVG is drawn by Graphviz, and there is no dot on PATH: install it "
                   "(apt install graphviz), or take --format dot");
    std::FILE* graphviz = ::popen("dot -Tsvg", "w");
    if (graphviz == nullptr) throw Stop(kError, "dot cannot be started");
    const bool written = std::fwrite(dot.data(), 1, dot.size(), graphviz) == dot.size();
    const int status = ::pclose(graphviz);
    if (!written || status != 0) throw Stop(kError, "dot has not drawn it");
}

void graph(const Options& options, const Given& given) {
    const flow::Graph graph = flow::graph_of(contracts(options, given.sources));
    std::set<std::string> happened;
    if (!given.saga.empty())
        for (const Fact& fact : inquire(options, given.saga).facts) happened.emplace(fact.type);
    const std::string format = options.json ? "json" : given.format;
    if (format == "svg") return draw(flow::to_dot(graph, happened));
    out(format == "json"  ? flow::to_json(graph, happened)
        : format == "dot" ? flow::to_dot(graph, happened)
                          : flow::to_mermaid(graph, happened));
}

}  // namespace

void add_graph(Command& tool, Options& options) {
    auto given = std::make_shared<Given>();
    Command command =
        tool.command("graph", "Draw who says what to whom, from the services' contracts");
    command.group("Design");
    command.footer(
        "Solid: what leads on; red: a failure; dashed: what it takes back; dotted: a deadline.\n"
        "Examples:\n"
        "  saga graph                              the services of this broker, for Mermaid\n"
        "  saga graph --saga o-1001 --format svg   with the way that one saga went\n"
        "  payment --contract > payment.json; saga graph payment.json order.json");
    add_contract_sources(command, given->sources);
    command.option("--format", given->format, "mermaid, dot, svg (by Graphviz) or json")
        .type("FORMAT")
        .one_of({"mermaid", "dot", "svg", "json"});
    command.option("--saga", given->saga, "paint the way of this one").type("ID");
    command.runs([&options, given] { graph(options, *given); });
}

}  // namespace saga::cli
