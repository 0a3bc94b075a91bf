#include "tests/sim/acting.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <saga/error.hpp>
#include <string>

#include "tests/sim/chance.hpp"

namespace saga::sim {
namespace {

using detail::Emitted;
using detail::Inputs;
using detail::Ran;
using detail::Type;

constexpr auto kTables = "CREATE TABLE decided (saga TEXT, step TEXT) STRICT";
constexpr auto kDecide = "INSERT INTO decided VALUES (?1, ?2)";
constexpr auto kDecided = "SELECT 1 FROM decided WHERE saga = ?1 AND step != ?2";
constexpr std::size_t kMostBytes = 64;  // of a payload: it is the saga's id

std::vector<std::byte> bytes_of(std::string_view text) {
    const auto* begin = reinterpret_cast<const std::byte*>(text.data());
    return {begin, begin + text.size()};
}
std::string text_of(Bytes bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Of events that no schema describes; for the life of the program, as all types.
Type type_named(std::string_view full) {
    struct Known {
        std::string full;
        detail::EventType type;
    };
    static std::map<std::string, Known, std::less<>> all;
    if (full == flow::kAnyFailure) return &detail::kAnyFailure;
    if (full == flow::kAnyEvent) return &detail::kAnyEvent;
    const auto [place, is_new] = all.try_emplace(std::string(full));
    Known& known = place->second;
    if (is_new) {
        known.full = full;
        const auto [owner, name] = detail::split_type(known.full);
        const auto sound = [](Bytes bytes) { return !bytes.empty() && bytes.size() <= kMostBytes; };
        known.type = {known.full, owner, name, sound, {}};
    }
    return &known.type;
}

/// What is drawn for one run of one handler: the same on each attempt.
Chance chance_of(std::uint64_t seed, const View& view, std::string_view step, const EventId& run) {
    return Chance(seed).branch(view.saga_id()).branch(step).branch(run.text());
}

/// A step's handler, as its declaration has it.
struct Acting {
    std::string step;
    std::vector<Type> successes, failures;
    std::uint64_t seed = 0;
    bool once_per_event = false, decides = false;
    std::shared_ptr<std::map<std::string, int>> attempts =
        std::make_shared<std::map<std::string, int>>();

    static Emitted event(Type type, const View& view) { return {type, bytes_of(view.saga_id())}; }

    Ran operator()(Tx& tx, Inputs in) const {
        const EventId run = once_per_event ? in.front().id : EventId{};
        Chance chance = chance_of(seed, tx, step, run);
        const bool moody = chance.happens(0.15);
        if (moody && ++(*attempts)[tx.saga_id() + run.text()] < 3) throw Error("out of sorts");
        const bool fails = chance.happens(0.3) && !failures.empty();
        if (fails && !tx.find<std::int64_t>(kDecided, tx.saga_id(), step))
            return {
                Ran::Verdict::failure, {event(failures[chance.below(failures.size())], tx)}, {}};
        if (decides) tx.exec(kDecide, tx.saga_id(), step);
        Ran ran;
        for (const Type type : successes) ran.events.push_back(event(type, tx));
        if (ran.events.size() > 1 && chance.happens(0.5)) ran.events.resize(1);
        return ran;
    }
};

/// The three parts of a call that does in its last one what the plain handler does.
template <class Handler>
detail::Code code_of(const Handler& handler, bool calls, Type word) {
    detail::Code code;
    if (!calls) {
        code.run = handler;
        return code;
    }
    code.ask = [word](const View& view, Inputs) {
        return Ran{.events = {Acting::event(word, view)}, .why = {}};
    };
    code.perform = [](const Call&, Bytes question) {
        return std::vector<std::byte>(question.begin(), question.end());
    };
    code.settle = [handler](Tx& tx, Inputs in, Bytes) { return handler(tx, in); };
    code.answer = word;
    return code;
}

class Making {
  public:
    Making(const flow::Contract& contract, std::uint64_t seed) : given_(contract), seed_(seed) {}

    Contract contract() {
        Contract made{.service = given_.service, .tables = {kTables}};
        for (const flow::Step& step : given_.steps) made.steps.push_back(this->step(step));
        for (const std::string& on : given_.reactions)
            made.reactions.push_back({type_named(on), {.run = [](Tx&, Inputs) { return Ran{}; }}});
        for (const flow::Command& command : given_.commands)
            made.commands.push_back(this->command(command));
        detail::validate(made);
        return made;
    }

  private:
    static std::vector<Type> types(const std::vector<std::string>& names) {
        std::vector<Type> all;
        for (const std::string& name : names) all.push_back(type_named(name));
        return all;
    }
    static std::vector<detail::Emits> emits(const std::vector<flow::Emits>& declared) {
        std::vector<detail::Emits> all;
        for (const flow::Emits& each : declared) all.push_back({type_named(each.event), each.kind});
        return all;
    }

    detail::StepCode step(const flow::Step& step) {
        detail::StepCode made;
        made.name = step.name;
        made.starts_on = types(step.on);
        made.emits = emits(step.emits);
        for (const detail::Emits& each : made.emits)
            detail::require(each.type->owner == given_.service, "another one's event: ", step.name);
        made.undone = emits(step.undone);
        made.undone_on = types(step.undo_on);
        made.fate = static_cast<detail::Fate>(step.fate);
        made.ends_saga = step.ends_saga;
        made.once_per_event = step.once_per_event;
        Acting acting{.step = step.name, .seed = seed_, .once_per_event = step.once_per_event};
        acting.decides = step.fate == flow::Fate::pivot && !step.calls;
        for (const flow::Emits& each : step.emits)
            (each.kind == Kind::failed ? acting.failures : acting.successes)
                .push_back(type_named(each.event));
        made.code = code_of(acting, step.calls, word_);
        if (step.undoes())
            made.undo = code_of([all = made.undone](Tx& tx, Inputs) { return says(tx, all); },
                                step.undo_calls, word_);
        for (const flow::Expect& expect : step.expects)
            made.expects.push_back(this->expect(step, expect));
        return made;
    }

    static Ran says(const View& view, const std::vector<detail::Emits>& all) {
        Ran ran;
        for (const detail::Emits& each : all) ran.events.push_back(Acting::event(each.type, view));
        return ran;
    }

    detail::Expects expect(const flow::Step& step, const flow::Expect& expect) {
        const std::vector<detail::Emits> asks = emits(expect.asks);
        const auto asks_only = [](const detail::Emits& each) { return each.kind == Kind::done; };
        detail::require(!asks.empty() && std::ranges::all_of(asks, asks_only),
                        "a deadline asks, by an event: ", step.name);
        const auto ask = [asks, seed = seed_, name = step.name](Tx& tx, Inputs) {
            Chance chance = chance_of(seed, tx, name + " asks", {});
            return says(tx, {asks[chance.below(asks.size())]});
        };
        return {expect.after, types(expect.answers), {.run = ask}, asks};
    }

    detail::CommandCode command(const flow::Command& command) {
        const Type accepts = type_named(command.accepts);
        return {.verb = command.verb,
                .request = word_,
                .accepts = accepts,
                .ends_saga = command.ends_saga,
                .key = text_of,
                .canonical = [](Bytes body) { return bytes_of(text_of(body)); },
                .run =
                    [accepts](const View&, Bytes body) {
                        return Emitted{accepts, bytes_of(text_of(body))};
                    }};
    }

    const flow::Contract& given_;
    std::uint64_t seed_;
    Type word_ = type_named("test.nobody.Word");
};

}  // namespace

Contract acting_contract(const flow::Contract& contract, std::uint64_t seed) {
    return Making(contract, seed).contract();
}

}  // namespace saga::sim
