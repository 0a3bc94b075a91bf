// Handlers without their types: bytes in, bytes out. Not part of the promise: include
// <saga/saga.hpp>.
#pragma once

#include <functional>
#include <saga/detail/signature.hpp>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace saga::detail {

struct Emitted {
    const EventType* type = nullptr;
    std::vector<std::byte> payload;
};

/// What a handler answered. Of an ask, `events` holds the question.
struct Ran {
    enum class Verdict { success, failure, later } verdict = Verdict::success;
    std::vector<Emitted> events;
    std::string why;  // later's
};

/// The events of a signature, in its order; payloads verified and aligned.
using Inputs = std::span<const AnyEvent>;

/// `run`, or the three parts of a call.
struct Code {
    std::function<Ran(Tx&, Inputs)> run;
    std::function<Ran(const View&, Inputs)> ask;
    std::function<std::vector<std::byte>(const Call&, Bytes question)> perform;
    std::string subject;  // where the engine may ask by itself, and read() what comes; or empty
    std::function<std::vector<std::byte>(Bytes raw)> read;
    std::function<Ran(Tx&, Inputs, Bytes answer)> settle;
    const EventType* answer = nullptr;  // of a call
    CallOptions options;

    bool calls() const { return static_cast<bool>(ask); }
};

template <class T>
T decode(const AnyEvent& in) {
    if constexpr (std::is_same_v<T, AnyEvent>)
        return in;
    else if constexpr (std::is_same_v<T, Failed>)
        return {std::string(split_type(in.type).name), std::string(in.service)};
    else
        return unpack<T>(in.payload);
}

template <class T>
void emit(Ran& ran, const T& event) {
    if constexpr (Event<T>)
        ran.events.push_back({&type_of<T>(), pack(event)});
    else
        for (const auto& each : event) emit(ran, each);  // std::vector
}
template <class T>
void emit(Ran& ran, const std::optional<T>& event) {
    if (event) emit(ran, *event);
}
template <class F, class... R>
void emit(Ran& ran, const All<F, R...>& all) {
    emit(ran, all.first);
    std::apply([&](const auto&... each) { (emit(ran, each), ...); }, all.rest);
}

template <class S, class... F>
Ran ran(const Outcome<S, F...>& outcome) {
    return std::visit(
        [](const auto& value) {
            using T = std::remove_cvref_t<decltype(value)>;
            Ran result;
            if constexpr (std::is_same_v<T, Later>) {
                result.verdict = Ran::Verdict::later;
                result.why = value.why;
            } else if constexpr (!std::is_same_v<T, std::monostate>) {
                if (one_of<T, F...>) result.verdict = Ran::Verdict::failure;
                emit(result, value);
            }
            return result;
        },
        outcome.value());
}

/// Runs `handler` and makes an outcome of whatever it returns, nothing included.
template <class Handler>
Ran answer_of(Handler&& handler) {
    using R = decltype(handler());
    if constexpr (std::is_void_v<R>) {
        handler();
        return {};
    } else {
        return ran(typename AsOutcome<R>::type(handler()));
    }
}

template <class Handler>
Code code_of(Handler handler) {
    using Traits = HandlerTraits<Handler>;
    return []<class... E>(Handler given, List<E...>) {
        return Code{.run = [given](Tx& tx, Inputs in) {
            return [&]<std::size_t... I>(std::index_sequence<I...>) {
                return answer_of([&] { return given(tx, decode<E>(in[I])...); });
            }
            (std::index_sequence_for<E...>{});
        }};
    }(std::move(handler), typename Traits::Triggers{});
}

template <class A, class P, class S>
Code code_of(Calling<A, P, S> calling) {
    using Traits = HandlerTraits<Calling<A, P, S>>;
    using Question = typename Traits::Question;
    using Answer = typename Traits::Answer;
    return []<class... E, std::size_t... I>(Calling<A, P, S> given, List<E...>,
                                            std::index_sequence<I...>) {
        Code code;
        code.ask = [given](const View& view, Inputs in) {
            return answer_of([&] { return given.ask(view, decode<E>(in[I])...); });
        };
        if constexpr (std::is_same_v<P, Requesting<Answer>>) {
            code.subject = given.perform.subject;
            code.read = [subject = code.subject](Bytes raw) {
                return pack(read_answer<Answer>(subject, raw));
            };
            code.perform = [subject = code.subject](const Call& call, Bytes question) {
                return pack(call.request<Answer>(subject, unpack<Question>(question)));
            };
        } else {
            code.perform = [given](const Call& call, Bytes question) {
                return pack(given.perform(call, unpack<Question>(question)));
            };
        }
        code.settle = [given](Tx& tx, Inputs in, Bytes answer) {
            return answer_of(
                [&] { return given.settle(tx, decode<E>(in[I])..., unpack<Answer>(answer)); });
        };
        code.answer = &type_of<Answer>();
        code.options = given.options;
        return code;
    }(std::move(calling), typename Traits::Triggers{}, []<class... E>(List<E...>) {
        return std::index_sequence_for<E...>{};
    }(typename Traits::Triggers{}));
}

}  // namespace saga::detail
