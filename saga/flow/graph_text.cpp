#include <fmt/format.h>

#include <array>
#include <map>
#include <nlohmann/json.hpp>

#include "saga/flow/graph.hpp"
#include "saga/flow/words.hpp"

namespace saga::flow {
namespace {

using nlohmann::ordered_json;

constexpr auto kRed = "#c92a2a", kGray = "#868e96", kGreen = "#2b8a3e";

/// Within double quotes of either language.
std::string in_quotes(std::string_view text) {
    return plain(text, "\"\\<>`#;");
}

std::string label_of(const Node& node) {
    if (node.what != Node::What::reaction) return in_quotes(node.name);
    return "reads " + (node.name == kAnyEvent ? "all" : in_quotes(short_name(node.name)));
}

std::string label_of(const Edge& edge, std::string_view between) {
    std::string label;
    for (const std::string& event : edge.events)
        label.append(label.empty() ? "" : between).append(in_quotes(short_name(event)));
    return label;
}

bool has_happened(const Edge& edge, const std::set<std::string>& happened) {
    return std::ranges::any_of(edge.events,
                               [&](const std::string& event) { return happened.contains(event); });
}

/// Calls begin(service), each(node) and end() so that a service's nodes stand together.
template <class Begin, class Each, class End>
void by_service(const Graph& graph, Begin begin, Each each, End end) {
    std::string open;
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
        const Node& node = graph.nodes[i];
        if (node.service != open) {
            if (!open.empty()) end();
            open = node.service;
            if (!open.empty()) begin(in_quotes(open));
        }
        each(i, node);
    }
    if (!open.empty()) end();
}

}  // namespace

std::string to_mermaid(const Graph& graph, const std::set<std::string>& happened) {
    std::string out = "flowchart LR\n";
    const auto to = std::back_inserter(out);
    std::size_t services = 0;
    const auto shape = [](const Node& node) -> std::pair<const char*, const char*> {
        if (node.what == Node::What::command) return {"([\"", "\"])"};
        if (node.what == Node::What::nobody) return {"((\"", "\"))"};
        if (node.what == Node::What::reaction) return {"(\"", "\")"};
        if (node.fate == Fate::pivot) return {"{{\"", "\"}}"};
        return node.ends_saga ? std::pair("[[\"", "\"]]") : std::pair("[\"", "\"]");
    };
    by_service(
        graph,
        [&](const std::string& service) {
            fmt::format_to(to, "  subgraph s{}[\"{}\"]\n", services++, service);
        },
        [&](std::size_t i, const Node& node) {
            const auto [left, right] = shape(node);
            fmt::format_to(to, "{}n{}{}{}{}\n", node.service.empty() ? "  " : "    ", i, left,
                           label_of(node), right);
            if (node.what == Node::What::nobody)
                fmt::format_to(to, "  style n{} stroke:{},color:{}\n", i, kRed, kRed);
        },
        [&] { out += "  end\n"; });
    std::map<std::string, std::string> styles;  // and the edges that have it
    for (std::size_t i = 0; i < graph.edges.size(); ++i) {
        const Edge& edge = graph.edges[i];
        const bool dotted = edge.what == Edge::What::undo || edge.what == Edge::What::timer;
        fmt::format_to(to, "  n{} {}|\"{}\"| n{}\n", edge.from, dotted ? "-.->" : "-->",
                       label_of(edge, "<br/>"), edge.to);
        std::string style;
        if (edge.what == Edge::What::timer) style = fmt::format("stroke:{}", kGray);
        if (edge.what != Edge::What::forward && edge.what != Edge::What::timer)
            style = fmt::format("stroke:{},color:{}", kRed, kRed);
        if (has_happened(edge, happened)) style = fmt::format("stroke:{},stroke-width:4px", kGreen);
        if (style.empty()) continue;
        std::string& edges = styles[style];
        edges += fmt::format("{}{}", edges.empty() ? "" : ",", i);
    }
    for (const auto& [style, edges] : styles)
        fmt::format_to(to, "  linkStyle {} {}\n", edges, style);
    return out;
}

std::string to_dot(const Graph& graph, const std::set<std::string>& happened) {
    std::string out =
        "digraph choreography {\n  rankdir=LR; fontname=\"sans-serif\";\n"
        "  node [shape=box, fontname=\"sans-serif\"];\n"
        "  edge [fontname=\"sans-serif\", fontsize=10];\n";
    const auto to = std::back_inserter(out);
    const auto shape = [](const Node& node) {
        if (node.what == Node::What::command) return "shape=box, style=rounded";
        if (node.what == Node::What::reaction) return "shape=note";
        if (node.what == Node::What::nobody)
            return "shape=circle, color=\"#c92a2a\", "
                   "fontcolor=\"#c92a2a\"";
        if (node.fate == Fate::pivot) return "shape=hexagon";
        return node.ends_saga ? "shape=box, peripheries=2" : "shape=box";
    };
    std::size_t cluster = 0;
    by_service(
        graph,
        [&](const std::string& service) {
            fmt::format_to(to, "  subgraph cluster_{} {{ label=\"{}\"; color=\"{}\";\n", cluster++,
                           service, kGray);
        },
        [&](std::size_t i, const Node& node) {
            fmt::format_to(to, "    n{} [label=\"{}\", {}];\n", i, label_of(node), shape(node));
        },
        [&] { out += "  }\n"; });
    for (const Edge& edge : graph.edges) {
        const bool dashed = edge.what == Edge::What::undo, dotted = edge.what == Edge::What::timer;
        const char* color = edge.what == Edge::What::forward ? "black" : dotted ? kGray : kRed;
        if (has_happened(edge, happened)) color = kGreen;
        fmt::format_to(to, "  n{} -> n{} [label=\"{}\", color=\"{}\", fontcolor=\"{}\"{}{}];\n",
                       edge.from, edge.to, label_of(edge, "\\n"), color, color,
                       dashed   ? ", style=dashed"
                       : dotted ? ", style=dotted"
                                : "",
                       has_happened(edge, happened) ? ", penwidth=3" : "");
    }
    return out + "}\n";
}

std::string to_json(const Graph& graph, const std::set<std::string>& happened) {
    constexpr std::array<std::string_view, 4> kNodes{"command", "step", "reaction", "nobody"};
    constexpr std::array<std::string_view, 4> kFates{"", "undo", "pivot", "keeps"};
    constexpr std::array<std::string_view, 5> kEdges{"forward", "failure", "undo", "timer",
                                                     "missing"};
    ordered_json json{{"nodes", ordered_json::array()}, {"edges", ordered_json::array()}};
    for (const Node& node : graph.nodes)
        json["nodes"].push_back({{"what", kNodes.at(static_cast<std::size_t>(node.what))},
                                 {"service", node.service},
                                 {"name", node.name},
                                 {"fate", kFates.at(static_cast<std::size_t>(node.fate))},
                                 {"ends_saga", node.ends_saga}});
    for (const Edge& edge : graph.edges)
        json["edges"].push_back({{"from", edge.from},
                                 {"to", edge.to},
                                 {"what", kEdges.at(static_cast<std::size_t>(edge.what))},
                                 {"events", edge.events},
                                 {"happened", has_happened(edge, happened)}});
    return json.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace saga::flow
