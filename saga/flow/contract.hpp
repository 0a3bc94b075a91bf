// A service's contract as data: from the JSON that it prints and publishes, or that somebody wrote
// by hand (docs/protocol.md). Events are full names: "shop.payment.PaymentTaken".
#pragma once

#include <chrono>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <saga/event.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace saga::flow {

/// In place of an event that a step takes: any failure. In place of one that a reaction takes: any
/// event.
inline constexpr std::string_view kAnyFailure = "*failed", kAnyEvent = "*";

struct Emits {
    std::string event;
    Kind kind = Kind::done;
};
struct Expect {
    std::chrono::milliseconds after{0};
    std::vector<std::string> answers;
    std::vector<Emits> asks;
};
enum class Fate : std::uint8_t { unsaid, undo, pivot, keeps };
struct Step {
    std::string name;
    std::vector<std::string> on;  ///< several: a join
    std::vector<Emits> emits;
    Fate fate = Fate::unsaid;
    std::vector<std::string> undo_on;  ///< empty: any failure
    std::vector<Emits> undone;
    std::vector<Expect> expects;
    bool calls = false, undo_calls = false, ends_saga = false, once_per_event = false;
    std::string calls_subject, undo_calls_subject;  ///< empty: who is called is not said

    bool undoes() const { return fate == Fate::undo; }
    bool on_any_failure() const { return on.size() == 1 && on.front() == kAnyFailure; }
    /// Whether this failure takes it back.
    bool undone_by(std::string_view failure) const;
    /// What it says when it succeeds; null when that is nothing, or not always something.
    const Emits* success() const;
};
struct Command {
    std::string verb, request, accepts;
    bool ends_saga = false;
    bool asks_undo = false;  ///< an operator's `undo` asks it
};
struct Contract {
    std::string service;
    std::vector<Step> steps;
    std::vector<std::string> reactions;
    std::vector<Command> commands;
    std::vector<std::string> questions;
    std::vector<std::string> schemas;  ///< .bfbs, in base64
};

/// The events that it publishes of its own, and the kinds that each may have: what is said forward
/// can be said on the way back, where a failure started its step. Throws Error where an event is
/// another service's, or its name none (core::is_type).
std::map<std::string, std::set<Kind>> published_by(const Contract& contract);

/// Fields that are not known here are passed over. Throws Error, which names the place in the
/// contract and says what should stand there: 'steps[1].emits[0].kind is "faild": ...'.
Contract read_contract(const nlohmann::json& json);

}  // namespace saga::flow
