// saga trace, saga show: what became of one saga.
#include <algorithm>

#include "saga/cli/command_line.hpp"
#include "saga/cli/course.hpp"
#include "saga/cli/interrupt.hpp"
#include "saga/cli/output.hpp"
#include "saga/cli/timeline.hpp"
#include "saga/runtime/stream_view.hpp"

namespace saga::cli {
namespace {

struct Given {
    std::string saga;
    bool follow = false;
    TimelineStyle style;
};

Time now() {
    return std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
}

bool moves(const Inquiry& inquiry) {
    const Course course = inquiry.judgement.course;
    return course != Course::completed && course != Course::undone;
}

/// A line for one event, in columns that those to come fit into.
void print_event(const Inquiry& inquiry, std::size_t at, const Options& options, const Paint& paint,
                 bool wide) {
    const Fact& fact = inquiry.facts[at];
    const auto& payload = inquiry.payloads[at];
    if (options.json) {
        out_now(line(json_of(fact, payload, inquiry.judgement.started)) + "\n");
        return;
    }
    const Cell event = drawn(fact, depths(inquiry.facts)[at]);
    const std::size_t gap = std::max<std::size_t>(32, width(event.text) + 1) - width(event.text);
    const std::string head = fmt::format(
        "{:>9}  {:<12}  ", "+" + brief(fact.time - inquiry.judgement.started), fact.service);
    std::string tail = line(payload);
    if (const auto edge = terminal_width(); edge && !wide) {
        const std::size_t used = width(head) + width(event.text) + gap;
        tail = *edge > used ? shortened(tail, *edge - used) : "";
    }
    out_now(head + painted(paint, event) + std::string(gap, ' ') + paint.dim(tail) + "\n");
}

/// Until it has come to its end, or Ctrl-C.
void follow(const Options& options, Inquiry& inquiry, const Paint& paint, bool wide) {
    const Interrupt interrupt;
    runtime::StreamView view(options.reach());
    const std::uint64_t last = inquiry.facts.back().seq;
    view.read({.filter = "saga.>",
               .from = last + 1,
               .timeout = std::chrono::hours(24 * 365),
               .follow = true,
               .stop = [&] { return interrupt.asked(); }},
              [&](const core::Message& message) {
                  if (message.envelope().saga != inquiry.saga) return true;
                  add(inquiry, message);
                  judge(inquiry);
                  print_event(inquiry, inquiry.facts.size() - 1, options, paint, wide);
                  return moves(inquiry);
              });
    if (interrupt.asked()) throw Stop(kInterrupted, "interrupted");
}

void finish(const Inquiry& inquiry) {
    const Exit code = exit_of(inquiry.judgement.course);
    if (code != kOk) throw Stop(code, "");
}

void trace(const Options& options, const Given& given) {
    Inquiry inquiry = inquire(options, given.saga);
    const Paint paint;
    if (options.json && !given.follow) {
        out(line(json_of(inquiry, now(), true)) + "\n");
        return finish(inquiry);
    }
    if (!given.follow) print_timeline(inquiry, paint, given.style);
    for (std::size_t i = 0; given.follow && i < inquiry.facts.size(); ++i)
        print_event(inquiry, i, options, paint, given.style.wide);
    while (given.follow && moves(inquiry)) {
        follow(options, inquiry, paint, given.style.wide);
        ask_services(inquiry, *options.connect(), options.timeout);  // they may know of more
    }
    if (options.json)
        out(line(json_of(inquiry, now(), false)) + "\n");
    else
        print_end(inquiry, paint, now());
    finish(inquiry);
}

void show(const Options& options, const Given& given) {
    const Inquiry inquiry = inquire(options, given.saga);
    if (options.json)
        out(line(json_of(inquiry, now(), false)) + "\n");
    else
        print_end(inquiry, Paint(), now());
    finish(inquiry);
}

constexpr auto kExits =
    "Exits with 0 when the saga runs or completed, 3 when there is none, 5 when it was undone or\n"
    "is on the way there, 6 when an undo failed or it is stuck.";

}  // namespace

void add_trace(Command& tool, Options& options) {
    auto given = std::make_shared<Given>();
    Command command = tool.command("trace", "Every event of one saga, and what it waits for");
    command.group("Look");
    command.footer(
        fmt::format("Examples:\n"
                    "  saga trace o-1001\n"
                    "  saga trace o-1001 --follow\n"
                    "  saga trace o-1001 --json | jq .state\n\n{}",
                    kExits));
    command.argument("saga", given->saga, "its id").required();
    command.flag("--follow", given->follow, "go on until it has come to its end");
    command.flag("-v,--verbose", given->style.verbose, "with sequences, ids and causes");
    command.flag("-w,--wide", given->style.wide, "do not cut off at the terminal's edge");
    command.runs([&options, given] { trace(options, *given); });
}

void add_show(Command& tool, Options& options) {
    auto given = std::make_shared<Given>();
    Command command = tool.command("show", "One saga in a line, and what it waits for");
    command.group("Look");
    command.footer(
        fmt::format("Examples:\n  saga show o-1001\n  saga show o-1001 --json\n\n{}", kExits));
    command.argument("saga", given->saga, "its id").required();
    command.runs([&options, given] { show(options, *given); });
}

}  // namespace saga::cli
