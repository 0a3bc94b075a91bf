// saga ls: the sagas that began lately, and where each stands.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "saga/cli/course.hpp"
#include "saga/cli/output.hpp"
#include "saga/cli/timeline.hpp"
#include "saga/cli/words.hpp"
#include "saga/core/text.hpp"
#include "saga/runtime/stream_view.hpp"

namespace saga::cli {
namespace {

using namespace std::chrono_literals;

constexpr auto kSkew = 1min;  // how far a publisher's clock may stand from the broker's

struct Given {
    std::chrono::milliseconds since = 1h;
    std::string status;
    std::size_t limit = 20;
    bool wide = false;
};

/// A saga as it goes by. What completed is not kept event by event: most do.
struct Passing {
    std::string id;
    Fact last;
    std::vector<Fact> facts;
    std::size_t events = 0;
    bool failed = false, completed = false;
    Judgement judgement;

    void take(const Fact& fact) {
        ++events;
        last = fact;
        if (completed) return;
        failed = failed || fact.failure() || !fact.because.empty();
        facts.push_back(fact);
        completed = !failed && fact.kind == Kind::ended;
        if (!completed) return;
        judgement = {.course = Course::completed,
                     .last_word = std::string(fact.event),
                     .started = fact.started,
                     .last = fact.time};
        facts = {};
    }
    /// Events of the engine alone, such as an operator's word about junk, are no saga.
    bool is_saga() const {
        return completed || std::any_of(facts.begin(), facts.end(), [](const Fact& fact) {
                   return !fact.type.starts_with("saga.wire.");
               });
    }
};
using Sagas = std::unordered_map<std::string, Passing>;

Sagas read(const Options& options, std::uint64_t from, Time since, Words& words) {
    Sagas sagas;
    runtime::StreamView view(options.reach());
    view.read({.filter = "saga.>", .from = from, .timeout = options.timeout},
              [&](const core::Message& message) {
                  const core::Envelope& envelope = message.envelope();
                  if (envelope.started < since) return true;
                  const auto [at, fresh] = sagas.try_emplace(std::string(envelope.saga));
                  if (fresh) at->second.id = at->first;
                  at->second.take(fact_of(message, words));
                  return true;
              });
    return sagas;
}

/// What waits in the services, by saga.
std::map<std::string, std::vector<Letter>> letters(bus::NatsClient& client,
                                                   const Landscape& landscape,
                                                   std::chrono::milliseconds timeout) {
    std::map<std::string, std::vector<Letter>> found;
    const Participants participants(client, timeout);
    for (const auto& [service, contract] : landscape.services()) {
        const auto its = participants.letters(service, true);
        if (!its) {
            note(fmt::format("{} does not answer: what waits there is not known", service));
            continue;
        }
        for (const Letter& letter : *its) found[letter.saga].push_back(letter);
    }
    return found;
}

bool asked_for(const std::string& status, Course course) {
    if (status.empty()) return true;
    if (status == "failed") return course == Course::undo_failed;
    return status == name_of(course);
}

std::string next_of(const Judgement& judgement) {
    if (judgement.awaited.empty()) return "";
    const Awaited& first = judgement.awaited.front();
    return fmt::format("{} ({})", first.service, first.step);
}

void print(const std::vector<const Passing*>& shown, const Options& options, const Given& given,
           Time now) {
    if (options.json) {
        auto json = nlohmann::ordered_json::array();
        for (const Passing* each : shown)
            json.push_back(
                {{"saga", each->id},
                 {"state", name_of(each->judgement.course)},
                 {"started", core::rfc3339(each->judgement.started)},
                 {"duration_us", (each->judgement.last - each->judgement.started).count()},
                 {"events", each->events},
                 {"last_event", each->last.event},
                 {"failed_by", each->judgement.failed_by},
                 {"waits_for", next_of(each->judgement)}});
        return out(line(json) + "\n");
    }
    Table table({"saga", "state", "started", ">took", ">events", "last event", "waits for"});
    for (const Passing* each : shown) {
        const Judgement& judged = each->judgement;
        const bool over = judged.course == Course::completed || judged.course == Course::undone;
        table.row({{each->id, Cell::Style::bold},
                   course_cell(judged),
                   clock_text(judged.started),
                   brief((over ? judged.last : std::max(now, judged.started)) - judged.started),
                   std::to_string(each->events),
                   drawn(each->last, 0),
                   next_of(judged)});
    }
    if (!table.empty()) table.print(Paint(), given.wide);
}

void say_counts(const Sagas& sagas, std::size_t shown, std::size_t matching, const Given& given) {
    std::map<Course, std::size_t> counts;
    for (const auto& [id, each] : sagas)
        if (each.is_saga()) ++counts[each.judgement.course];
    std::string text;
    for (const auto& [course, count] : counts)
        text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, name_of(course));
    if (text.empty()) text = "no saga";
    note(fmt::format("{}, of those that began in the last {}", text, brief(given.since)));
    if (shown < matching)
        note(fmt::format("shown: the latest {} of {}; more with --limit", shown, matching));
    if (counts.empty()) note("next: saga ls --since 7d");
    if (counts[Course::stuck] + counts[Course::undo_failed] > 0 && given.status.empty())
        note("next: saga dlq ls");
}

void ls(const Options& options, const Given& given) {
    const auto client = options.connect();
    const Time now =
        std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
    const Time since = now - given.since;
    const std::uint64_t from = first_since(*client, since - kSkew, options.timeout);
    const Landscape known = landscape(*client, options.timeout);
    SchemaCache().keep(known);
    Words words;
    Sagas sagas = read(options, from, since, words);
    const bool open = std::any_of(sagas.begin(), sagas.end(),
                                  [](const auto& each) { return !each.second.completed; });
    const auto waiting = open ? letters(*client, known, options.timeout)
                              : std::map<std::string, std::vector<Letter>>{};
    std::vector<const Passing*> matching;
    for (auto& [id, each] : sagas) {
        if (!each.completed) {
            const auto its = waiting.find(id);
            each.judgement = judge(each.facts, known,
                                   its == waiting.end() ? std::span<const Letter>() : its->second);
        }
        if (each.is_saga() && asked_for(given.status, each.judgement.course))
            matching.push_back(&each);
    }
    std::sort(matching.begin(), matching.end(), [](const Passing* a, const Passing* b) {
        return std::pair(a->judgement.started, a->last.seq) >
               std::pair(b->judgement.started, b->last.seq);
    });
    std::vector<const Passing*> shown = matching;
    if (given.limit != 0 && shown.size() > given.limit) shown.resize(given.limit);
    print(shown, options, given, now);
    if (!options.json) say_counts(sagas, shown.size(), matching.size(), given);
}

}  // namespace

void add_ls(CLI::App& app, Options& options) {
    auto given = std::make_shared<Given>();
    CLI::App* command = app.add_subcommand("ls", "The latest sagas, and where each stands");
    command->alias("list");
    command->group("Look");
    command->footer(
        "Examples:\n"
        "  saga ls\n"
        "  saga ls --since 7d --status stuck\n"
        "  saga ls --json --limit 0 | jq -r '.[] | select(.state != \"completed\") | .saga'");
    add_duration(*command, "--since", given->since, "sagas that began in this time; otherwise 1h");
    command->add_option("--status", given->status, "only those that are so")
        ->type_name("STATE")
        ->check(CLI::IsMember({"running", "completed", "undoing", "undone", "failed", "stuck"}));
    command->add_option("--limit", given->limit, "at most so many, 0 for all; otherwise 20")
        ->type_name("N");
    command->add_flag("-w,--wide", given->wide, "do not cut off at the terminal's edge");
    command->callback([&options, given] { ls(options, *given); });
}

}  // namespace saga::cli
