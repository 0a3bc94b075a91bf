// What a handler answers.
#pragma once

#include <optional>
#include <saga/event.hpp>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace saga {

struct Later {
    std::string why;
};

/// "Not yet": what the event refers to is not here. The handler's writes are rolled back; the event
/// is tried again after the next event of the saga and by backoff, and blocks nothing meanwhile.
/// `why` is one sentence for the operator who looks at the parked event.
[[nodiscard]] inline Later later(std::string why) {
    return {std::move(why)};
}

/// Several events of one success. The first is the step's result, which its undo is given; the
/// others may be std::optional (published when set) or std::vector (each published, in order).
template <Event First, class... Rest>
struct All {
    First first;
    std::tuple<Rest...> rest;
    All(First f, Rest... r) : first(std::move(f)), rest(std::move(r)...) {}
};

namespace detail {
template <class T, class... Ts>
inline constexpr bool one_of = (std::is_same_v<T, Ts> || ...);
}  // namespace detail

/// What a step answers: its success, one of its failures, or later(). Outcome<> succeeds with no
/// event. A failure leaves nothing of the handler's writes behind: only the event and the journal
/// stay.
template <class Success = void, Event... Failures>
class [[nodiscard]] Outcome {
    using Value = std::variant<std::conditional_t<std::is_void_v<Success>, std::monostate, Success>,
                               Failures..., Later>;

  public:
    // clang-format off
    Outcome() requires std::is_void_v<Success> = default;
    template <class T>
        requires(detail::one_of<std::remove_cvref_t<T>, Success, Failures..., Later>)
    Outcome(T&& value) : value_(std::forward<T>(value)) {}  // implicit: handlers return the event
    // clang-format on

    const Value& value() const { return value_; }

  private:
    Value value_;
};

/// A command's "no": nothing is stored or published, and asking again is judged afresh. `code` is
/// one lower-case word for programs ("unknown", "invalid", "conflict"), `why` tells the client what
/// to do.
struct Refused {
    std::string code;
    std::string why;
};

/// A command's answer: the event that now stands in the outbox, or its "no".
template <Event Accepted>
using Reply = std::variant<Accepted, Refused>;

}  // namespace saga
