// saga retry, skip, undo: an operator's word about one saga, and what came of it.
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "saga/cli/command_line.hpp"
#include "saga/cli/course.hpp"
#include "saga/cli/dlq_action.hpp"
#include "saga/cli/interrupt.hpp"
#include "saga/cli/output.hpp"
#include "saga/cli/timeline.hpp"
#include "saga/core/verbs.hpp"
#include "saga/runtime/operations.hpp"
#include "saga/runtime/stream_view.hpp"

namespace saga::cli {
namespace {

using nlohmann::ordered_json;
using Steady = std::chrono::steady_clock;

struct Given {
    std::string saga, reason;
};

Time now() {
    return std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
}

/// How the saga stands after the word; `said` is what came of it.
void print(const Options& options, const Inquiry& inquiry, const std::string& verb, bool done,
           ordered_json said) {
    if (!options.json) return print_end(inquiry, Paint(), now());
    out(line({{"saga", inquiry.saga},
              {"action", verb},
              {"done", done},
              {"result", std::move(said)},
              {"state", name_of(inquiry.judgement.course)}}) +
        "\n");
}

// ---- retry, skip --------------------------------------------------------------------------------

/// What of the saga waits for an operator: not what stands aside, for that holds nothing up.
std::vector<Letter> dead_letters(const Inquiry& inquiry) {
    std::vector<Letter> dead;
    for (const Letter& each : inquiry.letters)
        if (each.dead() && !each.aside()) dead.push_back(each);
    if (!dead.empty()) return dead;
    if (!inquiry.silent.empty())
        throw Stop(kUnreachable,
                   fmt::format("{} does not answer: what of {} waits there is not known, see saga "
                               "doctor",
                               fmt::join(inquiry.silent, ", "), inquiry.saga));
    const bool waits =
        std::ranges::any_of(inquiry.letters, [](const Letter& each) { return !each.aside(); });
    throw Stop(kNotFound,
               fmt::format("nothing of {0} waits for an operator{1}: see saga show {0}",
                           inquiry.saga, waits ? ", what failed is tried again by itself" : ""));
}

ActionResult act_on(const Participants& participants, const Letter& letter, const std::string& verb,
                    const Given& given, std::chrono::milliseconds patience) {
    try {
        return act(participants, {letter.holder(), letter.id}, verb, given.reason, patience);
    } catch (const Stop& stop) {
        if (stop.code != kNotFound) return {stop.code, stop.what(), letter.saga};
        return {kOk, letter.name() + " is there no more: it went with one before it", letter.saga};
    }
}

void act_on_dead(const Options& options, const Given& given, const std::string& verb) {
    const Inquiry before = inquire(options, given.saga);
    const std::vector<Letter> dead = dead_letters(before);
    std::vector<std::string> names;
    for (const Letter& each : dead) names.push_back(each.name());
    if (verb != "retry")
        confirm(options,
                fmt::format("{} {}? It will never be done.", verb, fmt::join(names, ", ")));
    const auto client = options.connect();
    const Participants participants(*client, options.timeout);
    Exit worst = before.silent.empty() ? kOk : kUnreachable;
    auto said = ordered_json::array();
    for (const Letter& each : dead) {
        const ActionResult result = act_on(participants, each, verb, given, options.timeout);
        worst = std::max(worst, result.code);
        said.push_back(
            {{"id", each.name()}, {"done", result.code == kOk}, {"result", result.text}});
        if (options.json) continue;
        result.code == kOk ? out(harmless(result.text) + "\n") : note(harmless(result.text));
    }
    print(options, inquire(options, given.saga), verb, worst == kOk, std::move(said));
    if (!before.silent.empty())
        note(fmt::format("{} does not answer: what of {} waits there is not known",
                         fmt::join(before.silent, ", "), given.saga));
    if (worst != kOk) throw Stop(worst, "");
}

// ---- undo ---------------------------------------------------------------------------------------

/// Who is asked: the service that began the saga. Throws Stop when it has no command for it.
std::string asked_service(const Inquiry& inquiry) {
    std::string service(inquiry.facts.front().service);
    const auto& known = inquiry.landscape.services();
    const auto found = known.find(service);
    if (found == known.end())
        throw Stop(kError, fmt::format("{} began {} and has published no contract that can be "
                                       "read: see saga doctor",
                                       harmless(service), inquiry.saga));
    const auto asks = [](const flow::Command& command) { return command.asks_undo; };
    if (std::ranges::none_of(found->second.commands, asks))
        throw Stop(kError, fmt::format("{} began {} and has no command that asks for its undo: let "
                                       "it end by saga retry or saga skip",
                                       service, inquiry.saga));
    return service;
}

/// What the one who decides said to the event by which it was asked; null: nothing yet.
const Fact* answer_to(const Inquiry& inquiry, const std::string& asked) {
    const auto found = std::ranges::find_if(inquiry.facts, [&](const Fact& fact) {
        return fact.cause && fact.cause.text() == asked && fact.type != runtime::kOperatorActed;
    });
    return found == inquiry.facts.end() ? nullptr : &*found;
}

/// Reads on until `met`, or until then.
void follow(const Options& options, Inquiry& inquiry, Steady::time_point until,
            const std::function<bool()>& met) {
    const Interrupt interrupt;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Steady::now());
    if (met() || left.count() <= 0) return;
    runtime::StreamView view(options.reach());
    view.read({.filter = "saga.>",
               .from = inquiry.facts.back().seq + 1,
               .timeout = left,
               .follow = true,
               .stop = [&] { return interrupt.asked(); }},
              [&](const core::Message& message) {
                  if (message.envelope().saga != inquiry.saga) return true;
                  add(inquiry, message);
                  judge(inquiry);
                  return !met();
              });
    if (interrupt.asked()) throw Stop(kInterrupted, "interrupted");
}

/// Asks, and waits for what comes of it; inquiry then knows. Throws Stop when it is not to be.
void ask_for_undo(const Options& options, Inquiry& inquiry, const Given& given) {
    const std::string service = asked_service(inquiry);
    confirm(options, fmt::format("undo {}?", given.saga));
    const auto client = options.connect();
    const auto accepted =
        Participants(*client, options.timeout)
            .ask(service, core::kUndoVerb.name, {{"saga", given.saga}, {"reason", given.reason}});
    if (!accepted)
        throw Stop(kUnreachable, fmt::format("{} does not answer: is it running?", service));
    const nlohmann::json answer = *accepted;
    const std::string asked = answer.value("/accepted/id"_json_pointer, "");
    const auto until = Steady::now() + options.timeout;
    const auto failed = [&] { return !inquiry.judgement.failed_by.empty(); };
    follow(options, inquiry, until,
           [&] { return failed() || answer_to(inquiry, asked) != nullptr; });
    const Fact* said = answer_to(inquiry, asked);
    if (!failed() && said != nullptr) {
        const auto& payload = inquiry.payloads[static_cast<std::size_t>(said - &inquiry.facts[0])];
        throw Stop(kError,
                   fmt::format("{} is not undone: {} answers {} {}", given.saga,
                               harmless(said->service), harmless(said->event), line(payload)));
    }
    if (!failed())
        throw Stop(kUnreachable,
                   fmt::format("{} asked for it, and nobody has answered within {}: see saga show "
                               "{}",
                               service, brief(options.timeout), given.saga));
    follow(options, inquiry, until, [&] { return inquiry.judgement.awaited.empty(); });
    ask_services(inquiry, *client, options.timeout);
}

void undo(const Options& options, const Given& given) {
    Inquiry inquiry = inquire(options, given.saga);
    if (inquiry.judgement.course == Course::completed)
        throw Stop(kError, fmt::format("{} has ended with {}: nothing takes it back", given.saga,
                                       inquiry.judgement.last_word));
    const bool anew = inquiry.judgement.failed_by.empty();
    if (anew)
        ask_for_undo(options, inquiry, given);
    else
        note(fmt::format("{} failed before, by {}", given.saga, inquiry.judgement.failed_by));
    print(options, inquiry, "undo", anew, inquiry.judgement.failed_by);
    if (exit_of(inquiry.judgement.course) == kStuck) throw Stop(kStuck, "");
}

void add_action(Command& tool, Options& options, const std::string& verb, const std::string& help,
                const std::string& footer,
                const std::function<void(const Options&, const Given&)>& act) {
    auto given = std::make_shared<Given>();
    Command command = tool.command(verb, help);
    command.group("Act");
    command.footer(footer);
    command.argument("saga", given->saga, "its id").required();
    command.option("--reason", given->reason, "why; it stands in the stream for good")
        .required()
        .type("TEXT");
    command.runs([&options, given, act] { act(options, *given); });
}

}  // namespace

void add_actions(Command& tool, Options& options) {
    const auto on_dead = [](const std::string& verb) {
        return [verb](const Options& given_options, const Given& given) {
            act_on_dead(given_options, given, verb);
        };
    };
    add_action(
        tool, options, "retry", "Try again all that is dead of one saga",
        "Examples:\n  saga retry o-1001 --reason 'the bank is back'\n\n"
        "In every service where something of the saga waits for an operator; one thing of it "
        "alone:\nsaga dlq retry. Exits with 0 when all was done, 3 when nothing waits, 1 when "
        "it failed again.",
        on_dead("retry"));
    add_action(
        tool, options, "skip", "Never do what is dead of one saga; it goes on behind it",
        "Examples:\n  saga skip o-1001 --reason 'the mail went out by hand'\n\n"
        "In every service where something of the saga waits for an operator; one thing of it "
        "alone:\nsaga dlq skip.",
        on_dead("skip"));
    add_action(
        tool, options, "undo", "Ask that one saga be taken back",
        "Examples:\n  saga undo o-1001 --reason 'the customer called'\n\n"
        "The service that began the saga asks, as for a client: whoever may fail it decides, "
        "and says\nno once it is too late. Exits with 0 when it is undone or on the way there, "
        "1 when it is not\nto be, 4 when nobody has answered yet.",
        undo);
}

}  // namespace saga::cli
