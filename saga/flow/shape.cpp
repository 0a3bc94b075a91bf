#include "saga/flow/shape.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "saga/flow/graph.hpp"
#include "saga/flow/words.hpp"

namespace saga::flow {
namespace {

using What = Finding::What;

void look_at_events(const Graph& graph, std::vector<Finding>& findings) {
    for (const Edge& edge : graph.edges) {
        if (edge.what != Edge::What::missing) continue;
        const Node& from = graph.nodes[edge.from];
        const Node& to = graph.nodes[edge.to];
        for (const std::string& event : edge.events)
            if (from.what == Node::What::nobody)
                findings.push_back(
                    {What::no_source,
                     event,
                     fmt::format("{}.{} takes {}, and nobody publishes it", to.service,
                                 to.what == Node::What::reaction ? short_name(to.name) : to.name,
                                 event),
                     "add the contract of its service, or correct the name",
                     {}});
            else
                findings.push_back(
                    {What::no_reader,
                     event,
                     fmt::format("{}.{} publishes {}, and nobody takes it", from.service, from.name,
                                 event),
                     "let a step or a reaction take it, or say ends_saga where it is the saga's "
                     "last word",
                     {}});
    }
}

/// A way along what starts what, from a node back to it.
class Cycles {
  public:
    explicit Cycles(const Graph& graph) : graph_(graph), mark_(graph.nodes.size(), Mark::unseen) {}

    std::vector<std::size_t> find() {
        for (std::size_t node = 0; node < graph_.nodes.size(); ++node)
            if (mark_[node] == Mark::unseen && visit(node)) return way_;
        return {};
    }

  private:
    enum class Mark : std::uint8_t { unseen, open, closed };

    bool visit(std::size_t node) {
        mark_[node] = Mark::open;
        way_.push_back(node);
        for (const Edge& edge : graph_.edges) {
            const bool starts = edge.what == Edge::What::forward ||
                                edge.what == Edge::What::timer || edge.what == Edge::What::failure;
            if (edge.from != node || !starts || mark_[edge.to] == Mark::closed) continue;
            if (mark_[edge.to] == Mark::open) {
                way_.erase(way_.begin(), std::ranges::find(way_, edge.to));
                return true;
            }
            if (visit(edge.to)) return true;
        }
        mark_[node] = Mark::closed;
        way_.pop_back();
        return false;
    }

    const Graph& graph_;
    std::vector<Mark> mark_;
    std::vector<std::size_t> way_;
};

void look_for_cycles(const Graph& graph, std::vector<Finding>& findings) {
    const std::vector<std::size_t> way = Cycles(graph).find();
    if (way.empty()) return;
    const auto name = [&](std::size_t node) {
        return fmt::format("{}.{}", graph.nodes[node].service, graph.nodes[node].name);
    };
    std::string round;
    for (const std::size_t node : way) round += name(node) + " -> ";
    findings.push_back({What::cycle,
                        name(way.front()),
                        fmt::format("events go round: {}{}", round, name(way.front())),
                        "a step runs once in a saga: let the way back be a new event, of a saga of "
                        "its own",
                        {}});
}

void look_for_mixed_joins(std::span<const Model> models, std::vector<Finding>& findings) {
    std::set<const Step*> told;
    for (const Model& model : models)
        for (const Model::Work& work : model.works)
            if (model.mixes(work) && told.insert(work.step).second)
                findings.push_back(
                    {What::mixed_join,
                     fmt::format("{}.{}", model.services[work.service], work.step->name),
                     fmt::format("{}.{} joins what leads on and what follows a failure: once the "
                                 "saga has failed, nothing that leads on is taken any more",
                                 model.services[work.service], work.step->name),
                     "let it take the failure alone: what was done before is in its own tables",
                     {}});
}

/// Whether a step that follows from this event, or something that it waits for, may fail the saga.
bool can_fail(std::span<const Contract> contracts, const std::string& event) {
    std::set<std::string, std::less<>> said{event};
    std::set<const Step*> followed;
    const auto is_said = [&](const std::string& each) { return said.contains(each); };
    for (bool more = true; std::exchange(more, false);)
        for (const Contract& contract : contracts)
            for (const Step& step : contract.steps) {
                if (!std::ranges::any_of(step.on, is_said) || !followed.insert(&step).second)
                    continue;
                more = true;
                std::vector<Emits> all = step.emits;
                for (const Expect& expect : step.expects)
                    all.insert(all.end(), expect.asks.begin(), expect.asks.end());
                for (const Emits& emits : all) {
                    if (emits.kind == Kind::failed) return true;
                    said.insert(emits.event);
                }
            }
    return false;
}

void look_for_vain_undos(std::span<const Contract> contracts, std::vector<Finding>& findings) {
    for (const Contract& contract : contracts)
        for (const Command& command : contract.commands)
            if (command.asks_undo && !can_fail(contracts, command.accepts))
                findings.push_back(
                    {What::vain_undo,
                     fmt::format("{}.{}", contract.service, command.verb),
                     fmt::format("{}.{} is what an operator's undo asks, and no step that follows "
                                 "from {} can fail the saga",
                                 contract.service, command.verb, short_name(command.accepts)),
                     "let the owner of the pivot take it and decide, by a failure or a refusal",
                     {}});
}

}  // namespace

std::vector<Finding> shape_findings(std::span<const Contract> contracts,
                                    std::span<const Model> models) {
    std::vector<Finding> findings;
    const Graph graph = graph_of(contracts);
    look_at_events(graph, findings);
    look_for_cycles(graph, findings);
    look_for_mixed_joins(models, findings);
    look_for_vain_undos(contracts, findings);
    return findings;
}

}  // namespace saga::flow
