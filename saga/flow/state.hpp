// A state of the explorer, packed so that millions fit, and what can happen in it.
#pragma once

#include <string>
#include <vector>

#include "saga/flow/explore.hpp"

namespace saga::flow {

/// The bytes of a state; what they mean its Layout says.
using State = std::string;

class Layout {
  public:
    explicit Layout(const Model& model);
    State empty() const { return State(size_, '\0'); }

    static Phase phase(const State& state, Index work) {
        return static_cast<Phase>(state[work * kWork]);
    }
    static void set(State& state, Index work, Phase phase, Index cause) {
        state[work * kWork] = static_cast<char>(phase);
        if (cause != kNone) state[work * kWork + 1] = static_cast<char>(cause + 1);
    }
    /// The failure that it was undone by, or cleans up after; kNone.
    static Index cause(const State& state, Index work) {
        const auto byte = static_cast<unsigned char>(state[work * kWork + 1]);
        return byte == 0 ? kNone : static_cast<Index>(byte - 1);
    }
    static bool cleaned_up(const State& state, Index work) {
        return phase(state, work) == Phase::done && cause(state, work) != kNone;
    }
    static bool arrived(const State& state, Index work, std::size_t half) {
        return ((static_cast<unsigned char>(state[work * kWork + 2]) >> half) & 1U) != 0;
    }
    static void arrive(State& state, Index work, std::size_t half) {
        char& byte = state[work * kWork + 2];
        byte = static_cast<char>(static_cast<unsigned char>(byte) | (1U << half));
    }
    bool published(const State& state, Index message) const {
        return bit(state, messages_, message);
    }
    void publish(State& state, Index message) const { set_bit(state, messages_, message); }
    bool handled(const State& state, Index delivery) const {
        return bit(state, deliveries_, delivery);
    }
    void handle(State& state, Index delivery) const { set_bit(state, deliveries_, delivery); }
    bool fired(const State& state, Index timer) const { return bit(state, timers_, timer); }
    void fire(State& state, Index timer) const { set_bit(state, timers_, timer); }
    bool heard(const State& state, Index service, Index failure) const {
        return bit(state, heard_ + service * service_bytes_, failure);
    }
    void hear(State& state, Index service, Index failure) const {
        set_bit(state, heard_ + service * service_bytes_, failure);
    }
    /// Whether the service knows that the saga has failed.
    bool failed(const State& state, Index service) const;
    /// It reads nothing more that leads on before it hears of a failure.
    bool pauses(const State& state, Index service) const { return bit(state, pauses_, service); }
    void pause(State& state, Index service) const { set_bit(state, pauses_, service); }

  private:
    static constexpr std::size_t kWork = 3;  // bytes of a work: phase, cause, halves
    static bool bit(const State& state, std::size_t from, std::size_t at) {
        return ((static_cast<unsigned char>(state[from + at / 8]) >> (at % 8)) & 1U) != 0;
    }
    static void set_bit(State& state, std::size_t from, std::size_t at) {
        char& byte = state[from + at / 8];
        byte = static_cast<char>(static_cast<unsigned char>(byte) | (1U << (at % 8)));
    }
    std::size_t messages_, deliveries_, timers_, pauses_, heard_, service_bytes_, size_;
};

struct Move {
    State state;
    Happening happening;
};

/// The rules of the engine (docs/architecture.md), as far as they concern who does what: a step
/// runs once, a failure undoes what is done and bars what is not, an answer that is awaited is
/// waited for. Whoever owns the pivot lets no other step of its own fail the saga once it is done.
class Rules {
  public:
    Rules(const Model& model, Orders orders);

    const Layout& layout() const { return layout_; }
    /// The commands have been accepted: the one that begins it, and any of the later ones. When a
    /// later one comes is a matter of when its event is read.
    std::vector<State> begin() const;
    /// All that can happen, service by service.
    std::vector<std::vector<Move>> moves(const State& state) const;
    /// Of those the ones of a service to which nothing but a failure can come in between, or else
    /// all. That the failure comes first is one move more: the service pauses until then.
    std::vector<Move> chosen(const State& state) const;
    /// Nothing can happen any more, and nobody waits for a failure that does not come.
    bool is_end(const State& state) const;

  private:
    bool leads_back(const State& state, Index message) const;
    bool fails(const State& state, const Model::Delivery& delivery) const;
    bool hears(const State& state, const Model::Delivery& delivery) const;
    bool picky(Index service) const;
    Index cause_of(const State& state, Index message) const;
    void publish(Move& move, Index message) const;
    void hear(Move& move, Index service, Index failure) const;
    void bar_joins(State& state, Index service) const;
    std::vector<Move> run(const Move& before, Index work, Index cause) const;
    std::vector<Move> trigger(const Move& before, const Model::Delivery& delivery) const;
    std::vector<Move> deliver(const State& state, Index delivery) const;
    bool armed(const State& state, Index timer) const;
    bool matters(const State& state, Index delivery) const;
    bool held_up(const State& state, const Model::Delivery& delivery) const;
    bool is_awaited(Index delivery) const;
    bool only_arrives(const State& state, const Model::Delivery& delivery) const;
    void pass_over(State& state) const;
    Index owner(Index message) const;
    std::vector<bool> to_come(const State& state) const;

    const Model& model_;
    Layout layout_;
    Orders orders_;
    bool any_picky_ = false;  ///< else all failures are alike, and count as the first of them
};

}  // namespace saga::flow
