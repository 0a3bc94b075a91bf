// Handlers' signatures taken apart. Not part of the promise: include <saga/saga.hpp>.
#pragma once

#include <saga/call.hpp>
#include <saga/outcome.hpp>
#include <saga/tx.hpp>

namespace saga::detail {

template <class...>
struct List {};

template <class F>
struct Signature : Signature<decltype(&F::operator())> {};
template <class R, class... P>
struct Signature<R (*)(P...)> {
    using Result = R;
    using Params = List<P...>;
};
template <class R, class C, class... P>
struct Signature<R (C::*)(P...) const> : Signature<R (*)(P...)> {};

/// What follows `First` in the parameters; all of it by const reference.
template <class First, class Params>
struct TailAfter {
    static constexpr bool ok = false;
    using type = List<>;
};
template <class First, class... P>
struct TailAfter<First, List<First, P...>> {
    static constexpr bool ok = (std::is_same_v<P, const std::remove_cvref_t<P>&> && ...);
    using type = List<std::remove_cvref_t<P>...>;
};

template <class R>
struct AsOutcome {
    using type = Outcome<R>;
};
template <class S, class... F>
struct AsOutcome<Outcome<S, F...>> {
    using type = Outcome<S, F...>;
};

template <class T>
struct Unwrap {
    using type = T;
};
template <class T>
struct Unwrap<std::optional<T>> {
    using type = T;
};
template <class T>
struct Unwrap<std::vector<T>> {
    using type = T;
};

template <class S>
struct Successes {
    using Result = List<S>;
    using Events = List<S>;
};
template <>
struct Successes<void> {
    using Result = List<>;
    using Events = List<>;
};
template <class F, class... R>
struct Successes<All<F, R...>> {
    using Result = List<F>;
    using Events = List<F, typename Unwrap<R>::type...>;
};
template <class O>
struct OutcomeTraits;
template <class S, class... F>
struct OutcomeTraits<Outcome<S, F...>> : Successes<S> {
    using Success = S;
    using Failures = List<F...>;
};

template <class A, class B>
struct Join;
template <class... A, class... B>
struct Join<List<A...>, List<B...>> {
    using type = List<A..., B...>;
};
template <class T, class L>
struct Append;
template <class T, class... E>
struct Append<T, List<E...>> {
    using type = List<E..., T>;
};

template <class Handler>
struct HandlerTraits {
    using Plain = Signature<Handler>;
    using Tail = TailAfter<Tx&, typename Plain::Params>;
    static_assert(Tail::ok, "a handler is R(saga::Tx&, const Event&...)");
    using Triggers = typename Tail::type;
    using Outcome = typename AsOutcome<typename Plain::Result>::type;
    using Failures = typename OutcomeTraits<Outcome>::Failures;
    static constexpr bool calls = false;
};

/// Who answers the question of a call.
template <class Perform, class Question>
struct PerformTraits {
    using Answer = std::remove_cvref_t<typename Signature<Perform>::Result>;
    static_assert(
        std::is_same_v<typename Signature<Perform>::Params, List<const Call&, const Question&>>,
        "the second part of a call is Answer(const saga::Call&, const Question&)");
};
template <class A, class Question>
struct PerformTraits<Requesting<A>, Question> {
    using Answer = A;
};

template <class Ask, class Perform, class Settle>
struct HandlerTraits<Calling<Ask, Perform, Settle>> {
    using AskTail = TailAfter<const View&, typename Signature<Ask>::Params>;
    static_assert(AskTail::ok,
                  "the first part of a call is Question(const saga::View&, const Event&...)");
    using Triggers = typename AskTail::type;
    using Asked = OutcomeTraits<typename AsOutcome<typename Signature<Ask>::Result>::type>;
    using Question = typename Asked::Success;
    static_assert(Event<Question>, "what a call asks is stored: it is a table");
    using Answer = typename PerformTraits<Perform, Question>::Answer;
    static_assert(Event<Answer>, "what a call is answered travels with its event: it is a table");
    using SettleTail = TailAfter<Tx&, typename Signature<Settle>::Params>;
    static_assert(
        std::is_same_v<typename SettleTail::type, typename Append<Answer, Triggers>::type>,
        "the third part of a call is Outcome(saga::Tx&, const Event&..., const Answer&)");
    using Outcome = typename AsOutcome<typename Signature<Settle>::Result>::type;
    using Failures =
        typename Join<typename Asked::Failures, typename OutcomeTraits<Outcome>::Failures>::type;
    static constexpr bool calls = true;
};

/// What an undo is given: the success, or the triggers of a step that returns nothing.
template <class Traits>
using DoneOf =
    std::conditional_t<std::is_void_v<typename OutcomeTraits<typename Traits::Outcome>::Success>,
                       typename Traits::Triggers,
                       typename OutcomeTraits<typename Traits::Outcome>::Result>;

template <template <class...> class Step, class L>
struct ApplyList;
template <template <class...> class Step, class... T>
struct ApplyList<Step, List<T...>> {
    using type = Step<T...>;
};

template <class... E>
constexpr bool are_events(List<E...>) {
    return sizeof...(E) > 0 && (Event<E> && ...);
}
template <class... E>
constexpr bool are(List<E...>, auto predicate) {
    return (predicate.template operator()<E>() && ...);
}

}  // namespace saga::detail
