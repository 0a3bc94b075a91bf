// What the joined contracts can do in one saga, as numbers: what the explorer walks through.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "saga/flow/contract.hpp"

namespace saga::flow {

using Index = std::uint32_t;
inline constexpr Index kNone = 0xFFFF'FFFF;

/// All of these happen at most once in a saga.
struct Model {
    /// Which ways something may belong to: that on which the saga goes on, and that on which it is
    /// taken back, which failures begin. What a step publishes goes the way of what started it.
    struct Ways {
        bool on = false, back = false;
    };
    struct Message {  ///< an event, of one who publishes it
        std::string event;
        Kind kind = Kind::done;
        Index service = 0;
        Index work = kNone;  ///< none: a command's
        Ways ways{};
    };
    struct Outcome {
        std::vector<Index> publishes;
        bool failure = false;
    };
    struct Timer {
        std::vector<Index> answers;  ///< deliveries: any of them comes in time
        std::vector<Index> asks;     ///< one of these
        Index work = 0;
    };
    /// A step, or of one that runs once for each event its run of one message.
    struct Work {
        const Step* step = nullptr;
        Index service = 0;
        std::vector<std::vector<Index>> halves;  ///< messages: one of each starts it
        std::vector<Outcome> outcomes;
        std::vector<Index> undone;  ///< messages of its undo
        std::vector<Index> timers;
        Ways ways{};  ///< back: it runs in failed sagas
    };
    /// To a service: that it hears of a failure, or of what it awaits; and then, each when its turn
    /// comes, to the works that it starts. A work that calls, or is tried again, holds up no other.
    struct Delivery {
        Index message = 0, service = 0;
        Index work = kNone;
        std::size_t half = 0;  ///< of that work's join
    };
    struct Start {
        const Command* command = nullptr;
        Index message = 0;
    };

    std::vector<std::string> services;
    std::vector<Message> messages;
    std::vector<Work> works;
    std::vector<Timer> timers;
    std::vector<Delivery> deliveries;
    std::vector<std::vector<Index>> to;  ///< of each message its deliveries
    std::vector<std::string> failures;   ///< the types that fail a saga
    Start first;                         ///< the command that begins it
    std::vector<Start> later;            ///< those that may come at any time after it
    bool complete = true;                ///< false: more follows from it than can be told

    /// A join of which one half leads on, and another one back: it never runs.
    bool mixes(const Work& work) const;
    bool undone_by(const Work& work, Index failure) const {
        return work.step->undone_by(failures[failure]);
    }
    Index failure(std::string_view event) const;
};

/// One for each command that begins a saga: each that leads, if all goes well, to its last word
/// without another before it; where none does, those that lead furthest. The contracts must outlive
/// them.
std::vector<Model> models_of(std::span<const Contract> contracts);

}  // namespace saga::flow
