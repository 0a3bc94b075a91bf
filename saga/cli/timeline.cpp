#include "saga/cli/timeline.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "saga/cli/output.hpp"
#include "saga/core/subject.hpp"

namespace saga::cli {
namespace {

constexpr std::size_t kDeepest = 12;  // levels that are drawn

std::string joined(const std::vector<std::string>& words, const char* with) {
    return fmt::format("{}", fmt::join(words, with));
}

std::string age(Time since, Time now) {
    return brief(std::max(now - since, Time::duration::zero()));
}

std::string text_of(const Awaited& each, Time now) {
    const std::string who = fmt::format("{} ({})", each.service, each.step);
    const std::string outside = each.calls ? ", which asks outside" : "";
    switch (each.what) {
        case Awaited::What::step:
            return fmt::format("waits for {} from {}{}, for {}", joined(each.events, " or "), who,
                               outside, age(each.since, now));
        case Awaited::What::join:
            return fmt::format("{} misses {}, for {}", who, joined(each.events, " and "),
                               age(each.since, now));
        case Awaited::What::undo:
            return fmt::format("waits for {} from {}, which takes it back{}, for {}",
                               joined(each.events, " and "), who, outside, age(each.since, now));
        case Awaited::What::timer:
            break;
    }
    if (each.since <= now)
        return fmt::format("a timer of {} was due {} ago: {}", who, age(each.since, now),
                           joined(each.events, ", "));
    return fmt::format("otherwise {} from {} in {}", joined(each.events, ", "), who,
                       brief(each.since - now));
}

std::string text_of(const Letter& letter) {
    const std::string what = letter.what == "aside"
                                 ? "a message"
                                 : fmt::format("the {} {}", letter.what,
                                               letter.step.empty() ? letter.event : letter.step);
    const std::string why = letter.reason.empty() ? "" : ": " + harmless(letter.reason);
    if (letter.aside()) return fmt::format("{} stands aside{}", letter.name(), why);
    if (letter.dead())
        return fmt::format("{} is dead, {} after {}{}", letter.name(), what,
                           count_text(static_cast<std::uint64_t>(letter.attempts), "attempt"), why);
    if (letter.state == "behind")
        return fmt::format("{} waits behind an earlier event of the saga", letter.name());
    return fmt::format("{} is parked ({}), {} after {}{}", letter.name(), letter.state, what,
                       count_text(static_cast<std::uint64_t>(letter.attempts), "attempt"), why);
}

std::string payload_text(const nlohmann::ordered_json& payload) {
    return payload.is_object() && payload.size() == 1 && payload.contains("error")
               ? "(" + payload["error"].get<std::string>() + ")"
               : line(payload);
}

}  // namespace

Cell drawn(const Fact& fact, std::size_t depth) {
    const std::string indent(2 * std::min(depth, kDeepest), ' ');
    const std::string event(fact.event);
    switch (fact.kind) {
        case Kind::failed:
            return {indent + "✗ " + event, Cell::Style::red};
        case Kind::undone:
            return {indent + "← " + event, Cell::Style::yellow};
        case Kind::ended:
            return {indent + "■ " + event,
                    fact.because.empty() ? Cell::Style::green : Cell::Style::yellow};
        case Kind::done:
            break;
    }
    return {indent + "→ " + event};
}

Cell kind_cell(const Fact& fact) {
    return {std::string(core::name_of(fact.kind)), drawn(fact, 0).style};
}

Cell course_cell(Course course) {
    const auto style = [&] {
        switch (course) {
            case Course::completed:
                return Cell::Style::green;
            case Course::undo_failed:
            case Course::stuck:
                return Cell::Style::red;
            case Course::undoing:
            case Course::undone:
                return Cell::Style::yellow;
            case Course::running:
                break;
        }
        return Cell::Style::plain;
    }();
    return {std::string(name_of(course)), style};
}

std::vector<std::size_t> depths(const std::vector<Fact>& facts) {
    std::map<EventId, std::size_t> known;
    std::vector<std::size_t> found;
    for (const Fact& fact : facts) {
        const auto cause = known.find(fact.cause);
        const std::size_t depth = cause == known.end() ? 0 : cause->second + 1;
        known.emplace(fact.id, depth);
        found.push_back(depth);
    }
    return found;
}

void print_timeline(const Inquiry& inquiry, const Paint& paint, const TimelineStyle& style) {
    std::vector<std::string> headings{">offset", "service", "step", "event", "kind"};
    if (style.verbose) {
        headings.insert(headings.begin(), ">seq");
        headings.insert(headings.end(), {"id", "cause"});
    }
    headings.emplace_back("payload");
    Table table(headings);
    const std::vector<std::size_t> depth = depths(inquiry.facts);
    std::set<EventId> seen;
    for (std::size_t i = 0; i < inquiry.facts.size(); ++i) {
        const Fact& fact = inquiry.facts[i];
        const bool again = !seen.insert(fact.id).second;
        std::vector<Cell> row{"+" + brief(fact.time - inquiry.judgement.started),
                              std::string(fact.service),
                              {std::string(fact.step), Cell::Style::dim},
                              drawn(fact, depth[i]),
                              again ? Cell("again", Cell::Style::dim) : kind_cell(fact)};
        if (style.verbose) {
            row.insert(row.begin(), std::to_string(fact.seq));
            row.insert(row.end(), {fact.id.text(), fact.cause ? fact.cause.text() : "-"});
        }
        row.emplace_back(payload_text(inquiry.payloads[i]), Cell::Style::dim);
        table.row(std::move(row));
    }
    table.print(paint, style.wide);
}

std::string summary(const Inquiry& inquiry, Time now) {
    const Judgement& judged = inquiry.judgement;
    const std::string took = brief(judged.last - judged.started);
    switch (judged.course) {
        case Course::completed:
            return fmt::format(
                "completed in {}: {}{}", took, judged.last_word,
                judged.alarm ? fmt::format("; {} came too late and undid nothing", judged.failed_by)
                             : "");
        case Course::undone:
            return fmt::format("undone in {}: {}{}", took, judged.failed_by,
                               judged.last_word.empty() ? "" : ", then " + judged.last_word);
        case Course::undoing:
            return fmt::format("being undone for {}, since {}", age(judged.started, now),
                               judged.failed_by);
        case Course::undo_failed:
            return fmt::format("cannot be undone: {} failed it, and an undo waits for an operator",
                               judged.failed_by);
        case Course::stuck:
            return inquiry.letters.empty() ? fmt::format("stuck: nobody goes on with it since {}",
                                                         age(judged.last, now))
                                           : fmt::format("stuck for {}", age(judged.last, now));
        case Course::running:
            break;
    }
    return fmt::format("running for {}", age(judged.started, now));
}

std::vector<std::string> waits(const Inquiry& inquiry, Time now) {
    std::vector<std::string> lines;
    for (const Awaited& each : inquiry.judgement.awaited) {
        std::string text = text_of(each, now);
        const auto& silent = inquiry.silent;
        if (std::find(silent.begin(), silent.end(), each.service) != silent.end())
            text += fmt::format("; {} does not answer", each.service);
        lines.push_back(std::move(text));
    }
    for (const Letter& letter : inquiry.letters)
        if (!letter.open_call()) lines.push_back(text_of(letter));  // else it stands above
    return lines;
}

std::vector<std::string> advice(const Inquiry& inquiry) {
    std::vector<std::string> lines;
    for (const Letter& letter : inquiry.letters)
        if (letter.dead()) lines.push_back("saga dlq show " + letter.name());
    if (std::ranges::any_of(inquiry.letters,
                            [](const Letter& each) { return each.dead() && !each.aside(); }))
        lines.push_back(
            fmt::format("saga retry {} --reason '…'  once its cause is mended", inquiry.saga));
    for (const Awaited& each : inquiry.judgement.awaited)
        if (std::find(inquiry.silent.begin(), inquiry.silent.end(), each.service) !=
            inquiry.silent.end())
            lines.emplace_back("saga doctor");
    if (inquiry.landscape.empty() && inquiry.judgement.course != Course::completed)
        lines.emplace_back("saga doctor  (no service has published what it waits for)");
    std::vector<std::string> once;
    for (std::string& each : lines)
        if (std::find(once.begin(), once.end(), each) == once.end()) once.push_back(each);
    return once;
}

void print_end(const Inquiry& inquiry, const Paint& paint, Time now) {
    const Cell course = course_cell(inquiry.judgement.course);
    out(fmt::format("{} {}\n", paint.bold(inquiry.saga),
                    painted(paint, {summary(inquiry, now), course.style})));
    for (const std::string& line : waits(inquiry, now)) out(fmt::format("  {}\n", line));
    for (const std::string& line : advice(inquiry)) note("next: " + line);
}

}  // namespace saga::cli
