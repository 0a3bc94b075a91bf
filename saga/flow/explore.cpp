#include "saga/flow/explore.hpp"

#include <algorithm>
#include <deque>
#include <unordered_map>

#include "saga/flow/state.hpp"

namespace saga::flow {
namespace {

class Explorer {
  public:
    Explorer(const Model& model, std::size_t most, Orders orders)
        : model_(model), rules_(model, orders), most_(most) {}

    Explored run(const std::function<void(const Moment&)>& look) {
        for (State& state : rules_.begin()) add(std::move(state), nullptr);
        Explored result;
        while (!next_.empty()) {
            if (seen_.size() >= most_) {
                result.complete = false;
                break;
            }
            const State* state = next_.front();
            next_.pop_front();
            const std::vector<Move> moves = rules_.chosen(*state);
            look(Here(*this, *state, moves.empty() && rules_.is_end(*state)));
            for (const Move& move : moves) add(move.state, state);
        }
        result.states = seen_.size();
        return result;
    }

  private:
    class Here final : public Moment {
      public:
        Here(const Explorer& explorer, const State& state, bool last)
            : explorer_(explorer), state_(state), last_(last) {}
        Phase phase(Index work) const override { return Layout::phase(state_, work); }
        bool cleaned_up(Index work) const override { return Layout::cleaned_up(state_, work); }
        bool arrived(Index work, std::size_t half) const override {
            return Layout::arrived(state_, work, half);
        }
        bool published(Index message) const override {
            return explorer_.rules_.layout().published(state_, message);
        }
        bool handled(Index delivery) const override {
            return explorer_.rules_.layout().handled(state_, delivery);
        }
        bool last() const override { return last_; }
        Course course(const std::function<bool(const Moment&)>& still) const override {
            return explorer_.course(state_, last_, still);
        }

      private:
        const Explorer& explorer_;
        const State& state_;
        bool last_;
    };

    void add(State state, const State* from) {
        const auto [place, is_new] = seen_.emplace(std::move(state), from);
        if (is_new) next_.push_back(&place->first);
    }

    Course course(const State& end, bool last,
                  const std::function<bool(const Moment&)>& still) const {
        std::vector<Happening> way;
        const State* state = &end;
        for (const State* from = seen_.at(*state); from != nullptr; from = seen_.at(*state)) {
            for (Move& move : rules_.chosen(*from))
                if (move.state == *state) {
                    way.push_back(std::move(move.happening));
                    break;
                }
            state = from;
        }
        std::ranges::reverse(way);
        const State begun = *state;
        if (!last)
            for (std::size_t i = way.size(); i-- > 0;) {
                std::vector<Happening> without = way;
                without.erase(without.begin() + static_cast<std::ptrdiff_t>(i));
                const std::optional<State> reached = again(begun, without);
                if (reached && still(Here(*this, *reached, false))) way = std::move(without);
            }
        std::erase_if(way, [](const Happening& each) {
            return each.works.empty() && each.published.empty();
        });
        return with_commands(begun, way);
    }

    /// The same happenings, each as it was, if they can come about from there.
    std::optional<State> again(State state, const std::vector<Happening>& way) const {
        for (const Happening& happening : way) {
            if (happening.what == Happening::What::pause) continue;
            std::optional<State> next;
            for (auto& of_service : rules_.moves(state))
                for (Move& move : of_service)
                    if (!next && move.happening == happening) next = std::move(move.state);
            if (!next) return std::nullopt;
            state = std::move(*next);
        }
        return state;
    }

    /// A command is told of just before its event is first read.
    Course with_commands(const State& begun, const std::vector<Happening>& way) const {
        Course course;
        std::vector<Index> to_tell{model_.first.message};
        for (const Model::Start& later : model_.later)
            if (rules_.layout().published(begun, later.message)) to_tell.push_back(later.message);
        const auto tell = [&](Index message) {
            const auto found = std::ranges::find(to_tell, message);
            if (found == to_tell.end()) return;
            to_tell.erase(found);
            course.push_back({.what = Happening::What::command,
                              .service = model_.messages[message].service,
                              .published = {message}});
        };
        tell(model_.first.message);
        for (const Happening& happening : way) {
            tell(happening.message);
            course.push_back(happening);
        }
        return course;
    }

    const Model& model_;
    Rules rules_;
    std::size_t most_;
    std::unordered_map<State, const State*> seen_;  // and the one before; nodes stay where they are
    std::deque<const State*> next_;
};

}  // namespace

Explored explore(const Model& model, std::size_t most_states, Orders orders,
                 const std::function<void(const Moment&)>& look) {
    return Explorer(model, most_states, orders).run(look);
}

}  // namespace saga::flow
