#include "saga/flow/graph.hpp"

#include <algorithm>
#include <map>

namespace saga::flow {
namespace {

class Drawing {
  public:
    explicit Drawing(std::span<const Contract> contracts) {
        for (const Contract& contract : contracts) add_nodes(contract);
        for (std::size_t from = 0; from < sources_.size(); ++from) add_events(from);
        for (std::size_t to = 0; to < sources_.size(); ++to) look_for_sources(to);
        for (std::size_t from = 0; from < sources_.size(); ++from) add_undos(from);
    }

    Graph take() && { return std::move(graph_); }

  private:
    using What = Edge::What;

    /// Of each node, what it is drawn from.
    struct Source {
        const Command* command = nullptr;
        const Step* step = nullptr;
        const std::string* reaction = nullptr;  ///< what it takes
    };

    void add(Node node, const Source& source) {
        graph_.nodes.push_back(std::move(node));
        sources_.push_back(source);
    }

    void add_nodes(const Contract& contract) {
        for (const Command& command : contract.commands)
            add({Node::What::command, contract.service, command.verb, Fate::unsaid,
                 command.ends_saga},
                {.command = &command});
        for (const Step& step : contract.steps)
            add({Node::What::step, contract.service, step.name, step.fate, step.ends_saga},
                {.step = &step});
        for (const std::string& event : contract.reactions)
            add({Node::What::reaction, contract.service, event, Fate::unsaid, false},
                {.reaction = &event});
    }

    static bool takes(const Source& source, const std::string& event, Kind kind) {
        if (source.reaction != nullptr) return *source.reaction == event;
        if (source.step == nullptr) return false;
        const auto& on = source.step->on;
        return std::find(on.begin(), on.end(), event) != on.end() ||
               (kind == Kind::failed && source.step->on_any_failure());
    }
    static bool awaits(const Source& source, const std::string& event) {
        return source.step != nullptr &&
               std::any_of(source.step->expects.begin(), source.step->expects.end(),
                           [&](const Expect& expect) {
                               return std::find(expect.answers.begin(), expect.answers.end(),
                                                event) != expect.answers.end();
                           });
    }

    void connect(std::size_t from, std::size_t to, What what, const std::string& event) {
        const auto found =
            std::find_if(graph_.edges.begin(), graph_.edges.end(), [&](const Edge& edge) {
                return edge.from == from && edge.to == to && edge.what == what;
            });
        if (found == graph_.edges.end()) return graph_.edges.push_back({from, to, what, {event}});
        auto& events = found->events;
        if (std::find(events.begin(), events.end(), event) == events.end()) events.push_back(event);
    }

    std::size_t nobody() {
        if (nobody_ == 0) {
            nobody_ = graph_.nodes.size();
            graph_.nodes.push_back({Node::What::nobody, "", "nobody", Fate::unsaid, false});
        }
        return nobody_;
    }

    /// To all that take it; `needed`: else it goes to nobody.
    void send(std::size_t from, const Emits& emits, What what, bool needed) {
        const std::string& event = emits.event;
        published_.insert(event);
        bool read = false;
        for (std::size_t to = 0; to < sources_.size(); ++to) {
            read = read || awaits(sources_[to], event);
            if (!takes(sources_[to], event, emits.kind)) continue;
            read = true;
            connect(from, to, what, event);
        }
        const bool undoes = emits.kind == Kind::failed &&
                            std::any_of(sources_.begin(), sources_.end(), [&](const Source& each) {
                                return each.step != nullptr && each.step->undone_by(event);
                            });
        if (!read && !undoes && needed) connect(from, nobody(), What::missing, event);
    }

    void add_events(std::size_t from) {
        const Source source = sources_[from];
        if (source.command != nullptr)
            send(from, {source.command->accepts, Kind::done}, What::forward,
                 !source.command->ends_saga);
        if (source.step == nullptr) return;
        for (const Emits& emits : source.step->emits) {
            const bool failure = emits.kind == Kind::failed;
            send(from, emits, failure ? What::failure : What::forward,
                 failure || !source.step->ends_saga);
        }
        for (const Emits& emits : source.step->undone) send(from, emits, What::forward, false);
        for (const Expect& expect : source.step->expects)
            for (const Emits& emits : expect.asks) send(from, emits, What::timer, true);
    }

    void look_for_sources(std::size_t to) {
        const Source source = sources_[to];
        std::vector<std::string> taken;
        if (source.reaction != nullptr) taken.push_back(*source.reaction);
        if (source.step != nullptr) {
            taken = source.step->on;
            taken.insert(taken.end(), source.step->undo_on.begin(), source.step->undo_on.end());
            for (const Expect& expect : source.step->expects)
                taken.insert(taken.end(), expect.answers.begin(), expect.answers.end());
        }
        for (const std::string& event : taken)
            if (event != kAnyFailure && event != kAnyEvent && !published_.contains(event))
                connect(nobody(), to, What::missing, event);
    }

    /// Nodes that can be reached without this one's success.
    std::set<std::size_t> without(std::size_t missing) const {
        std::set<std::size_t> reached;
        std::vector<std::size_t> next;
        for (std::size_t node = 0; node < sources_.size(); ++node)
            if (sources_[node].command != nullptr && node != missing) next.push_back(node);
        while (!next.empty()) {
            const std::size_t node = next.back();
            next.pop_back();
            if (!reached.insert(node).second || node == missing) continue;
            for (const Edge& edge : graph_.edges)
                if (edge.from == node && (edge.what == What::forward || edge.what == What::timer))
                    next.push_back(edge.to);
        }
        return reached;
    }

    void add_undos(std::size_t from) {
        const Step* step = sources_[from].step;
        if (step == nullptr) return;
        const std::set<std::size_t> before = without(from);
        for (const Emits& emits : step->emits)
            for (std::size_t to = 0; to < sources_.size(); ++to)
                if (emits.kind == Kind::failed && to != from && before.contains(to) &&
                    sources_[to].step != nullptr && sources_[to].step->undone_by(emits.event))
                    connect(from, to, What::undo, emits.event);
    }

    Graph graph_;
    std::vector<Source> sources_;
    std::set<std::string> published_;
    std::size_t nobody_ = 0;  // 0: there is none yet; node 0 is a service's
};

}  // namespace

Graph graph_of(std::span<const Contract> contracts) {
    return Drawing(contracts).take();
}

}  // namespace saga::flow
