// A service's declaration as data: what the engine runs and the checker reads.
// Not part of the promise: include <saga/saga.hpp>.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <saga/detail/code.hpp>
#include <string>
#include <variant>
#include <vector>

namespace saga::detail {

using Type = const EventType*;

enum class Fate : std::uint8_t { unsaid, undo, pivot, keeps };

struct Emits {
    Type type;
    Kind kind;
};
struct Expects {
    std::chrono::milliseconds after;
    std::vector<Type> answers;
    Code ask;
    std::vector<Emits> asks;
};
struct StepCode {
    std::string name;
    std::vector<Type> starts_on;  // several: a join. kAnyFailure alone: saga::Failed
    std::vector<Emits> emits, undone;
    std::vector<Type> undone_on;  // empty: every failure
    std::vector<Expects> expects;
    Fate fate = Fate::unsaid;
    bool ends_saga = false, once_per_event = false;
    Code code, undo;

    bool on_any_failure() const { return starts_on.front() == &kAnyFailure; }
    /// What was returned, or what started it, is kept for an undo or an expect.
    bool keeps_result() const { return fate == Fate::undo || !expects.empty(); }
};
struct ReactionCode {
    Type on = nullptr;
    Code code;
};
struct CommandCode {
    std::string verb;
    Type request = nullptr, accepts = nullptr;
    bool ends_saga = false, asks_undo = false;
    std::function<std::vector<std::byte>(const std::string&)> bare;  // of a key, and nothing else
    std::function<std::string(Bytes)> key;                           // of a verified request
    std::function<std::vector<std::byte>(Bytes)> canonical;          // alike for the same values
    std::function<std::variant<Emitted, Refused>(const View&, Bytes)> run;
};
struct Question {
    std::string verb, select;
};
struct Setting {
    std::string name, otherwise, help;
};
/// Whose a table's rows are.
struct TableBySaga {
    std::string name, column;  ///< the column holds the saga's id
};
struct Contract {
    std::string service;
    std::vector<std::string> tables;
    std::deque<StepCode> steps;  // deques: builders hold references
    std::deque<ReactionCode> reactions;
    std::deque<CommandCode> commands;
    std::vector<Question> questions;
    std::vector<Setting> settings;
    std::vector<TableBySaga> by_saga;
};

/// Throws std::logic_error at what no single declaration shows to be wrong.
void validate(const Contract& contract);

inline void require(bool ok, const char* what, const std::string& who) {
    if (!ok) throw std::logic_error(what + who);
}

template <class T>
Type trigger() {
    if constexpr (std::is_same_v<T, Failed>)
        return &kAnyFailure;
    else if constexpr (std::is_same_v<T, AnyEvent>)
        return &kAnyEvent;
    else
        return &type_of<T>();
}
template <class... E>
std::vector<Type> triggers(List<E...>) {
    return {trigger<E>()...};
}
template <class... E>
void add(std::vector<Emits>& to, List<E...>, [[maybe_unused]] Kind kind) {
    (to.push_back({&type_of<E>(), kind}), ...);
}

template <class Handler>
std::vector<Emits> emits(Kind success) {
    using Traits = HandlerTraits<Handler>;
    std::vector<Emits> all;
    add(all, typename OutcomeTraits<typename Traits::Outcome>::Events{}, success);
    add(all, typename Traits::Failures{}, Kind::failed);
    return all;
}

template <class Handler>
StepCode make_step(std::string name, Handler handler) {
    using Traits = HandlerTraits<Handler>;
    using Triggers = typename Traits::Triggers;
    constexpr bool on_failure = std::is_same_v<Triggers, List<Failed>>;
    static_assert(on_failure || are_events(Triggers{}),
                  "a step takes events, or saga::Failed alone");
    static_assert(!on_failure || std::is_same_v<typename Traits::Failures, List<>>,
                  "a step on saga::Failed returns no failure: the saga has failed already");
    StepCode step;
    step.name = std::move(name);
    step.starts_on = triggers(Triggers{});
    step.emits = emits<Handler>(on_failure ? Kind::undone : Kind::done);
    step.code = code_of(std::move(handler));
    return step;
}

template <class Handler, class... Done>
void check_follow_up() {
    using Traits = HandlerTraits<Handler>;
    static_assert((Event<Done> && ...), "a step on saga::Failed is not undone and expects nothing");
    static_assert(std::is_same_v<typename Traits::Triggers, List<Done...>>,
                  "an undo, and an expect, takes what its step returned (of a step that returns "
                  "nothing: what started it)");
    static_assert(std::is_same_v<typename Traits::Failures, List<>>,
                  "an undo, and an expect, cannot fail: throw, and it is tried again");
    static_assert(are_events(typename OutcomeTraits<typename Traits::Outcome>::Events{}),
                  "an undo, and an expect, returns its event");
}

template <class Handler>
ReactionCode make_reaction(Handler handler) {
    using Traits = HandlerTraits<Handler>;
    static_assert(!Traits::calls &&
                      std::is_void_v<typename OutcomeTraits<typename Traits::Outcome>::Success> &&
                      std::is_same_v<typename Traits::Failures, List<>>,
                  "a reaction publishes nothing: make it a step");
    const std::vector<Type> on = triggers(typename Traits::Triggers{});
    require(on.size() == 1, "a reaction takes one event", "");
    return {on.front(), code_of(std::move(handler))};
}

template <class Request, class Handler>
CommandCode make_command(std::string verb, std::string Request::*key, Handler handler) {
    using S = Signature<Handler>;
    static_assert(std::is_same_v<typename S::Params, List<const View&, const Request&>>,
                  "a command is saga::Reply<Event>(const saga::View&, const Request&)");
    using Accepted = std::variant_alternative_t<0, typename S::Result>;
    CommandCode command;
    command.verb = std::move(verb);
    command.request = &type_of<Request>();
    command.accepts = &type_of<Accepted>();
    command.bare = [key](const std::string& saga) {
        Request request;
        request.*key = saga;
        return pack(request);
    };
    command.key = [key](Bytes body) { return unpack<Request>(body).*key; };
    command.canonical = [](Bytes body) { return pack(unpack<Request>(body)); };
    command.run = [handler](const View& view, Bytes body) {
        return std::visit(
            [](const auto& value) -> std::variant<Emitted, Refused> {
                if constexpr (std::is_same_v<std::remove_cvref_t<decltype(value)>, Refused>)
                    return value;
                else
                    return Emitted{&type_of<Accepted>(), pack(value)};
            },
            handler(view, unpack<Request>(body)));
    };
    return command;
}

}  // namespace saga::detail
