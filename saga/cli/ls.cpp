// saga ls: the sagas that began lately, and where each stands.
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "saga/cli/buckets.hpp"
#include "saga/cli/command_line.hpp"
#include "saga/cli/landscape.hpp"
#include "saga/cli/observer.hpp"
#include "saga/cli/output.hpp"
#include "saga/cli/participants.hpp"
#include "saga/cli/schemas.hpp"
#include "saga/cli/timeline.hpp"
#include "saga/cli/words.hpp"
#include "saga/core/subject.hpp"
#include "saga/runtime/stream_view.hpp"
#include "saga/view/shards.hpp"

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
    Standing standing;
    std::vector<Fact> facts;

    void take(const Fact& fact) {
        standing.take(fact);
        if (standing.completed())
            facts = {};
        else
            facts.push_back(fact);
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
                  if (fresh) at->second.standing.saga = at->first;
                  at->second.take(fact_of(message, words));
                  return true;
              });
    return sagas;
}

using Letters = std::map<std::string, std::vector<Letter>>;

/// What waits in the services, by saga.
Letters letters(bus::NatsClient& client, const Landscape& landscape,
                std::chrono::milliseconds timeout, std::vector<std::string>& silent) {
    Letters found;
    const Participants participants(client, timeout);
    const view::Shards shards(Bucket(client, core::kOwners, timeout));
    for (const auto& [service, contract] : landscape.services())
        for (const std::string& instance : shards.instances_of(service)) {
            const auto its = participants.letters(instance, true);
            if (!its) silent.push_back(instance);
            for (const Letter& letter : its.value_or(std::vector<Letter>{}))
                found[letter.saga].push_back(letter);
        }
    return found;
}

/// From the stream itself.
Listing list(const Options& options, bus::NatsClient& client, const Wanted& wanted) {
    const std::uint64_t from = first_since(client, wanted.since - kSkew, options.timeout);
    const Landscape known = landscape(client, options.timeout);
    SchemaCache().keep(known);
    Words words;
    Sagas sagas = read(options, from, wanted.since, words);
    Listing listing;
    Letters waiting;
    if (std::any_of(sagas.begin(), sagas.end(),
                    [](const auto& each) { return !each.second.standing.completed(); }))
        waiting = letters(client, known, options.timeout, listing.silent);
    for (auto& [id, each] : sagas) {
        Standing& standing = each.standing;
        if (!standing.completed()) standing.settle(judge(each.facts, known, waiting[id]));
        if (standing.engine_only) continue;
        ++listing.counts[standing.course];
        if (wanted.takes(standing.course)) listing.sagas.push_back(std::move(standing));
    }
    listing.matching = listing.sagas.size();
    listing.sort();
    if (wanted.limit != 0 && listing.sagas.size() > wanted.limit)
        listing.sagas.resize(wanted.limit);
    return listing;
}

Cell last_event(const Standing& standing) {
    return drawn(Fact{.event = standing.last_event,
                      .because = standing.last_because,
                      .kind = standing.last_kind},
                 0);
}

void print(const Listing& listing, const Options& options, const Given& given, Time now) {
    if (options.json) {
        auto json = nlohmann::ordered_json::array();
        for (const Standing& each : listing.sagas) json.push_back(json_of(each));
        return out(line(json) + "\n");
    }
    Table table({"saga", "state", "started", ">took", ">events", "last event", "waits for"});
    for (const Standing& each : listing.sagas) {
        const bool over = each.completed() || each.course == Course::undone;
        table.row({{each.saga, Cell::Style::bold},
                   course_cell(each.course),
                   clock_text(each.started),
                   brief((over ? each.last : std::max(now, each.started)) - each.started),
                   std::to_string(each.events),
                   last_event(each),
                   each.waits_for});
    }
    if (!table.empty()) table.print(Paint(), given.wide);
}

void say_counts(const Listing& listing, const Given& given) {
    std::string text;
    bool bad = false;
    for (const auto& [course, count] : listing.counts) {
        text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, name_of(course));
        bad = bad || course == Course::stuck || course == Course::undo_failed;
    }
    if (text.empty()) text = "no saga";
    note(fmt::format("{}, of those that began in the last {}", text, brief(given.since)));
    if (listing.sagas.size() < listing.matching)
        note(fmt::format("shown: the latest {} of {}; more with --limit", listing.sagas.size(),
                         listing.matching));
    if (listing.counts.empty()) note("next: saga ls --since 7d");
    if (bad && given.status.empty()) note("next: saga dlq ls");
}

void ls(const Options& options, const Given& given) {
    const auto client = options.connect();
    const Time now =
        std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
    const Wanted wanted{.since = now - given.since, .status = given.status, .limit = given.limit};
    const StreamState head = stream_state(*client, options.timeout);
    auto listing = Observer(*client, options.timeout).list(wanted, head);
    if (!listing) listing = list(options, *client, wanted);
    for (const std::string& service : listing->silent)
        note(fmt::format("{} does not answer: what waits there is not known", service));
    print(*listing, options, given, now);
    if (!options.json) say_counts(*listing, given);
}

}  // namespace

void add_ls(Command& tool, Options& options) {
    auto given = std::make_shared<Given>();
    Command command = tool.command("ls", "The latest sagas, and where each stands");
    command.alias("list");
    command.group("Look");
    command.footer(
        "Examples:\n"
        "  saga ls\n"
        "  saga ls --since 7d --status stuck\n"
        "  saga ls --json --limit 0 | jq -r '.[] | select(.state != \"completed\") | .saga'");
    command.option("--since", given->since, "sagas that began in this time; otherwise 1h");
    command.option("--status", given->status, "only those that are so")
        .type("STATE")
        .one_of({"running", "completed", "undoing", "undone", "failed", "stuck"});
    command.option("--limit", given->limit, "at most so many, 0 for all; otherwise 20").type("N");
    command.flag("-w,--wide", given->wide, "do not cut off at the terminal's edge");
    command.runs([&options, given] { ls(options, *given); });
}

}  // namespace saga::cli
