// saga doctor: whether all is well, and how to mend what is not.
#include "saga/cli/doctor.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <thread>

#include "saga/cli/buckets.hpp"
#include "saga/cli/command_line.hpp"
#include "saga/cli/interrupt.hpp"
#include "saga/cli/output.hpp"
#include "saga/cli/words.hpp"
#include "saga/view/message_json.hpp"

namespace saga::cli {
namespace {

using nlohmann::ordered_json;
using Severity = Finding::Severity;

constexpr auto kLookAgain = std::chrono::milliseconds(300);

struct Given {
    std::chrono::milliseconds wait{0};
};

/// What one look found: something, or that no broker answers.
struct Look {
    Examination seen;
    std::vector<Finding> found;
    std::string unreachable;

    std::uint64_t count(Severity severity) const {
        return static_cast<std::uint64_t>(
            std::count_if(found.begin(), found.end(),
                          [&](const Finding& each) { return each.severity == severity; }));
    }
    bool well() const { return count(Severity::error) == 0; }
};

Look look(const Options& options) {
    Look now;
    try {
        now.seen = examine(options);
        now.found = findings(now.seen);
    } catch (const Stop& failure) {
        if (failure.code != kUnreachable) throw;
        now.seen.url = options.reach().url;
        now.unreachable = failure.what();
        now.found.push_back({Severity::error, "broker", failure.what(), "nats-server -js"});
    }
    return now;
}

ordered_json broker_json(const Look& now) {
    const Examination& seen = now.seen;
    ordered_json json{{"url", seen.url}, {"reachable", now.unreachable.empty()}};
    if (seen.broker) {
        json["version"] = seen.broker->version;
        json["name"] = seen.broker->name;
        json["jetstream"] = seen.broker->jetstream;
        json["round_trip_us"] =
            std::chrono::duration_cast<std::chrono::microseconds>(seen.broker->round_trip).count();
    }
    if (!seen.account.is_object()) return json;
    for (const char* each : {"storage", "memory", "streams", "consumers"})
        json[each] = field(seen.account, each, std::uint64_t{0});
    const auto limits = seen.account.find("limits");
    if (limits != seen.account.end()) json["limits"] = *limits;
    return json;
}

ordered_json json_of(const Look& now) {
    ordered_json json{{"ok", now.well()},
                      {"findings", ordered_json::array()},
                      {"services", ordered_json::array()},
                      {"programs", ordered_json::array()},
                      {"broker", broker_json(now)}};
    for (const Finding& each : now.found)
        json["findings"].push_back(
            {{"severity", each.severity == Severity::error ? "error" : "warning"},
             {"about", each.about},
             {"what", each.what},
             {"mend", each.mend}});
    for (const ServiceSeen& each : now.seen.services) {
        ordered_json service =
            each.state ? each.state->json : ordered_json{{"service", each.name}, {"ready", false}};
        service["answers"] = each.state.has_value();
        service["meant"] = each.meant;
        json["services"].push_back(std::move(service));
    }
    if (now.seen.dev)
        for (const DevProgram& each : now.seen.dev->programs)
            json["programs"].push_back({{"name", each.name},
                                        {"service", each.service},
                                        {"running", each.running},
                                        {"deaths", each.deaths}});
    return json;
}

void print(const Paint& paint, const std::string& word, Cell::Style style,
           const std::string& text) {
    out(fmt::format("{}{} {}\n", painted(paint, {word, style}),
                    std::string(word.size() < 8 ? 8 - word.size() : 0, ' '), text));
}

/// What was looked at and is as it must be.
void print_well(const Look& now, const Paint& paint) {
    const Examination& seen = now.seen;
    const auto well = [&](const std::string& text) {
        print(paint, "ok", Cell::Style::green, text);
    };
    const bool jetstream = seen.trouble.empty() && seen.account.is_object();
    if (jetstream)
        well(fmt::format("nats-server {} at {}, with JetStream, {} stored",
                         seen.broker ? harmless(seen.broker->version) : "", seen.url,
                         size_text(field(seen.account, "storage", std::uint64_t{0}))));
    std::vector<std::string> ready, running;
    for (const ServiceSeen& each : seen.services)
        if (each.state && each.state->ready) ready.push_back(each.name);
    if (!seen.services.empty())
        well(fmt::format("{} of {} ready{}{}", ready.size(),
                         count_text(seen.services.size(), "service"), ready.empty() ? "" : ": ",
                         fmt::join(ready, ", ")));
    if (!seen.dev) return;
    for (const DevProgram& each : seen.dev->programs)
        if (!each.service && each.running) running.push_back(each.name);
    if (!running.empty())
        well(fmt::format("{} running: {}", count_text(running.size(), "other program"),
                         fmt::join(running, ", ")));
}

void print(const Look& now) {
    const Paint paint;
    print_well(now, paint);
    for (const Finding& each : now.found) {
        const bool bad = each.severity == Severity::error;
        print(paint, bad ? "error" : "warning", bad ? Cell::Style::red : Cell::Style::yellow,
              fmt::format("{}: {}  {} {}", paint.bold(harmless(each.about)), each.what,
                          paint.dim("→"), each.mend));
    }
    if (now.found.empty()) return out(paint.green("all is well") + "\n");
    const auto errors = now.count(Severity::error), warnings = now.count(Severity::warning);
    std::string text = errors == 0 ? "" : paint.red(count_text(errors, "error"));
    if (warnings > 0)
        text += (errors == 0 ? "" : ", ") + paint.yellow(count_text(warnings, "warning"));
    out(text + "\n");
}

void doctor(const Options& options, const Given& given) {
    const auto until = std::chrono::steady_clock::now() + given.wait;
    Look now;
    {
        const Interrupt interrupt;
        now = look(options);
        while (!now.well() && std::chrono::steady_clock::now() < until && !interrupt.asked()) {
            std::this_thread::sleep_for(kLookAgain);
            now = look(options);
        }
        if (interrupt.asked()) throw Stop(kInterrupted, "interrupted");
    }
    if (options.json) out(line(json_of(now)) + "\n");
    if (!now.unreachable.empty()) throw Stop(kUnreachable, now.unreachable);
    if (!options.json) print(now);
    if (!now.well()) throw Stop(kError, "");
}

}  // namespace

void add_doctor(Command& tool, Options& options) {
    auto given = std::make_shared<Given>();
    Command command = tool.command("doctor", "Whether all is well, and how to mend what is not");
    command.group("Operate");
    command.footer(
        "Examples:\n"
        "  saga doctor\n"
        "  saga doctor --wait 30s        until all is well, at most so long\n"
        "  saga doctor --json | jq -r '.findings[] | .what'\n\n"
        "Exits with 0 when nothing is an error: the broker is well, and every service that saga\n"
        "dev was to start answers and is ready. 1: something is wrong. 4: no broker answers.");
    command.option("--wait", given->wait, "look again until all is well; otherwise once");
    command.runs([&options, given] { doctor(options, *given); });
}

}  // namespace saga::cli
