// A service as its author declares it.
#pragma once

#include <chrono>
#include <memory>
#include <saga/detail/contract.hpp>
#include <string>
#include <utility>
#include <vector>

namespace saga {

using detail::Contract;

/// What may be said of a step. `Done...` is what the step returned; of a step that returns nothing,
/// what started it. A step that a failure can follow says one of undo, undo_on, pivot, keeps.
template <class... Done>
class Step {
  public:
    explicit Step(detail::StepCode& code) : code_(code) {}

    /// Takes the step back, once, when this saga fails; several steps of one service in reverse
    /// order. The handler's event is of kind `undone`. It must succeed in the end: throwing retries
    /// it.
    template <class Handler>
    Step& undo(Handler handler) {
        return set_undo(std::move(handler), {});
    }

    /// As undo, but only when one of these failures failed the saga.
    template <Event... Failures, class Handler>
    Step& undo_on(Handler handler) {
        static_assert(sizeof...(Failures) > 0, "say which failures: undo_on<PaymentDeclined>(...)");
        return set_undo(std::move(handler), {&detail::type_of<Failures>()...});
    }

    /// The saga cannot fail once this step has succeeded. It decides races: whoever wants to fail
    /// the saga late asks this service.
    Step& pivot() { return set(detail::Fate::pivot); }

    /// The effect stands when the saga fails: a mail that went out, a row that records what was
    /// asked.
    Step& keeps() { return set(detail::Fate::keeps); }

    /// The success is the saga's last word (kind `ended`). On each path of a saga one step says it.
    Step& ends_saga() { return code_.ends_saga = true, *this; }

    /// The step runs once for each triggering event instead of once in a saga. Not for joins.
    Step& once_per_event() {
        detail::require(code_.starts_on.size() == 1, "a join runs once in a saga: ", code_.name);
        return code_.once_per_event = true, *this;
    }

    /// When none of `Answers` has come for so long after its success: publishes what
    /// `ask(Tx&, const Done&...)` returns. Fires once, never early; forgotten when the saga fails
    /// or ends. It asks, it decides nothing.
    template <Event... Answers, class Handler>
    Step& expect(std::chrono::milliseconds after, Handler ask) {
        static_assert(sizeof...(Answers) > 0,
                      "say which events are awaited: expect<OrderShipped>(...)");
        static_assert(!detail::HandlerTraits<Handler>::calls, "an expect asks by its event");
        detail::check_follow_up<Handler, Done...>();
        code_.expects.push_back({after,
                                 {&detail::type_of<Answers>()...},
                                 detail::code_of(std::move(ask)),
                                 detail::emits<Handler>(Kind::done)});
        return *this;
    }

  private:
    template <class Handler>
    Step& set_undo(Handler handler, std::vector<detail::Type> on) {
        detail::check_follow_up<Handler, Done...>();
        code_.undone = detail::emits<Handler>(Kind::undone);
        code_.undo = detail::code_of(std::move(handler));
        code_.undone_on = std::move(on);
        return set(detail::Fate::undo);
    }
    Step& set(detail::Fate fate) {
        detail::require(code_.fate == detail::Fate::unsaid,
                        "a step says undo, pivot or keeps once: ", code_.name);
        return code_.fate = fate, *this;
    }
    detail::StepCode& code_;
};

/// What may be said of a command.
class Command {
  public:
    explicit Command(detail::CommandCode& code) : code_(code) {}

    /// Its event is the first and the last of its saga: a fact that starts nothing.
    Command& ends_saga() { return code_.ends_saga = true, *this; }

    /// It asks whoever may fail the saga to do so, and its request needs no more than its key: an
    /// operator's `saga undo` asks the same, of sagas that this service began. One a service.
    Command& asks_undo() { return code_.asks_undo = true, *this; }

  private:
    detail::CommandCode& code_;
};

/// A service's declaration. Names of services, steps, verbs and settings are [a-z][a-z0-9_]*, and
/// stored: never rename one. Throws std::logic_error where a declaration is wrong.
class Service {
  public:
    /// `tables` creates the business tables: scripts, each run once, in order; append, never edit.
    explicit Service(std::string name, std::vector<std::string> tables = {});
    Service(std::string name, const char* tables)
        : Service(std::move(name), std::vector<std::string>{tables}) {}

    /// A step runs once in a saga, in one transaction, when all events of its signature have
    /// arrived.
    template <class Handler>
    auto step(std::string name, Handler handler) {
        using Traits = detail::HandlerTraits<Handler>;
        detail::StepCode& code =
            add_step(detail::make_step<Handler>(std::move(name), std::move(handler)));
        return typename detail::ApplyList<Step, detail::DoneOf<Traits>>::type(code);
    }

    /// A plain reaction, `void(Tx&, const E&)` or `Outcome<>(Tx&, const E&)`: applied once for each
    /// event, of failed sagas too. For read models; it publishes nothing. One a type.
    template <class Handler>
    void on(Handler handler) {
        add_reaction(detail::make_reaction<Handler>(std::move(handler)));
    }

    /// Answers requests on `saga-ctl.<service>.<verb>`: `Reply<E>(const View&, const Request&)`.
    /// `key` names the saga. The accepted event is durable before the client hears of it. The same
    /// key and body again gives the same answer; the same key with another body is refused as
    /// "conflict".
    template <class Request, class Handler>
    Command command(std::string verb, std::string Request::*key, Handler handler) {
        return Command{add_command(
            detail::make_command<Request, Handler>(std::move(verb), key, std::move(handler)))};
    }

    /// Answers requests on the same subjects with the rows of a SELECT as a JSON array of objects;
    /// the request's body, as text, is ?1. At most 10,000 rows.
    void question(std::string verb, std::string select);

    /// A flag `--name`, an environment variable `SAGA_NAME`. Only calls see settings: a handler
    /// that depended on one would not repeat itself.
    void setting(std::string name, std::string otherwise, std::string help);

    /// Each row of `table` is of the saga whose id its `column` holds, which is part of each of its
    /// keys. A service all of whose tables say so can run in shards (`--shard 0/4`), with the sagas
    /// of some partitions in a file each, and move to another number of them (`--reshard`). What
    /// sagas share, a product's stock, is of none, and keeps its service whole. Of two sagas in two
    /// shards each can hold the same Tx::lock: it does not reach over shards.
    void by_saga(std::string table, std::string column);

    const Contract& contract() const { return *contract_; }

  private:
    detail::StepCode& add_step(detail::StepCode);
    void add_reaction(detail::ReactionCode);
    detail::CommandCode& add_command(detail::CommandCode);
    std::shared_ptr<Contract> contract_;  // shared by copies: a Service is a handle
};

}  // namespace saga
