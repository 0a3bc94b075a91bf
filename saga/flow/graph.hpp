// The picture of a choreography: who says what to whom, and what takes what back.
#pragma once

#include <cstddef>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "saga/flow/contract.hpp"

namespace saga::flow {

struct Node {
    /// `nobody` stands for whoever should read or publish an event, and does not.
    enum class What : std::uint8_t { command, step, reaction, nobody };
    What what = What::step;
    std::string service, name;
    Fate fate = Fate::unsaid;
    bool ends_saga = false;
};

struct Edge {
    enum class What : std::uint8_t {
        forward,  ///< an event that starts what it points to
        failure,  ///< likewise, one that fails the saga
        undo,     ///< a failure that takes back what it points to
        timer,    ///< as forward, unless something comes in time
        missing,  ///< nobody reads it, or nobody publishes it
    };
    std::size_t from = 0, to = 0;  ///< nodes
    What what = What::forward;
    std::vector<std::string> events;  ///< full names, in order, each once
};

struct Graph {
    std::vector<Node> nodes;  ///< service by service
    std::vector<Edge> edges;  ///< at most one of a kind between two nodes
};

/// An undo is drawn where what it takes back may have happened before the failure. A reaction to
/// every event stands alone: it makes nobody a reader.
Graph graph_of(std::span<const Contract> contracts);

/// `happened`: full names of events, whose edges are emphasized. Text of Mermaid's flowcharts; of
/// Graphviz; JSON, as docs/operating.md describes it.
std::string to_mermaid(const Graph& graph, const std::set<std::string>& happened = {});
std::string to_dot(const Graph& graph, const std::set<std::string>& happened = {});
std::string to_json(const Graph& graph, const std::set<std::string>& happened = {});

}  // namespace saga::flow
