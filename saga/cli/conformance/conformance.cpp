// saga conformance: whether a participant, of any language, keeps the protocol; from outside.
#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "saga/cli/command_line.hpp"
#include "saga/cli/conformance/trials.hpp"
#include "saga/cli/output.hpp"
#include "saga/cli/participants.hpp"
#include "saga/cli/words.hpp"
#include "saga/core/shard.hpp"
#include "saga/view/message_json.hpp"

namespace saga::cli {
namespace {

using nlohmann::ordered_json;

struct Given {
    std::string service, restart, junit;
    std::vector<std::string> set;
    std::chrono::milliseconds within{10'000};
};

std::string_view name_of(Verdict verdict) {
    switch (verdict) {
        case Verdict::pass:
            return "pass";
        case Verdict::fail:
            return "fail";
        case Verdict::skip:
            return "skip";
    }
    return "";
}

FieldValues values_of(const std::vector<std::string>& all) {
    FieldValues values;
    for (const std::string& each : all) {
        const auto equals = each.find('=');
        if (equals == std::string::npos || equals == 0)
            throw Stop(kUsage,
                       fmt::format("--set {}: say FIELD=VALUE, such as sku=tea", harmless(each)));
        values[each.substr(0, equals)] = each.substr(equals + 1);
    }
    return values;
}

/// Events are published under their owners' names: where an owner runs, it would take that for
/// another instance of itself, and where others run, they would act on what never happened.
void require_alone(bus::NatsClient& client, const Landscape& known, const Options& options,
                   const std::string& service) {
    const Participants participants(client, options.timeout);
    for (const std::string& name : known_services(client, known, options.timeout)) {
        if (core::parse_instance(name).service == service || !participants.state(name)) continue;
        throw Stop(kError, fmt::format("{} runs on this broker too, and would read events that "
                                       "never happened: give saga conformance a broker where "
                                       "{} runs alone",
                                       harmless(name), service));
    }
}

std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : harmless(text)) {
        if (c == '<')
            out += "&lt;";
        else if (c == '&')
            out += "&amp;";
        else if (c == '"')
            out += "&quot;";
        else
            out += c;
    }
    return out;
}

/// As JUnit's XML, which CI servers read.
void write_junit(const std::string& path, const std::string& service,
                 const std::vector<Row>& rows) {
    const auto count = [&](Verdict verdict) {
        return std::count_if(rows.begin(), rows.end(),
                             [&](const Row& row) { return row.verdict == verdict; });
    };
    std::ofstream file(path);
    file << fmt::format(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"conformance of {}\" "
        "tests=\"{}\" failures=\"{}\" skipped=\"{}\">\n",
        escaped(service), rows.size(), count(Verdict::fail), count(Verdict::skip));
    for (const Row& row : rows) {
        file << fmt::format("  <testcase classname=\"{}\" name=\"{}\" time=\"{:.3f}\">",
                            escaped(row.step.empty() ? service : service + "." + row.step),
                            escaped(row.trial), static_cast<double>(row.took.count()) / 1'000);
        if (row.verdict == Verdict::fail)
            file << fmt::format("<failure message=\"{}\"/>", escaped(row.says));
        if (row.verdict == Verdict::skip)
            file << fmt::format("<skipped message=\"{}\"/>", escaped(row.says));
        file << "</testcase>\n";
    }
    file << "</testsuite>\n";
    file.close();
    if (!file.good())
        throw Stop(kError, fmt::format("cannot write {}: is there such a folder, and room?",
                                       harmless(path)));
}

void print(const std::vector<Row>& rows) {
    Table table({"step", "trial", "verdict", "what"});
    for (const Row& row : rows) {
        const Cell::Style style = row.verdict == Verdict::pass   ? Cell::Style::green
                                  : row.verdict == Verdict::fail ? Cell::Style::red
                                                                 : Cell::Style::yellow;
        table.row(
            {row.step.empty() ? "-" : harmless(row.step),
             row.trial,
             {row.verdict == Verdict::fail ? "FAIL" : std::string(name_of(row.verdict)), style},
             harmless(row.says)});
    }
    table.print(Paint(), true);
}

void print_json(const std::string& service, const std::vector<Row>& rows) {
    auto all = ordered_json::array();
    for (const Row& row : rows)
        all.push_back({{"step", row.step},
                       {"trial", row.trial},
                       {"verdict", name_of(row.verdict)},
                       {"what", row.says},
                       {"took_ms", row.took.count()}});
    const bool conforms = std::none_of(rows.begin(), rows.end(),
                                       [](const Row& row) { return row.verdict == Verdict::fail; });
    out(line({{"service", service}, {"conforms", conforms}, {"trials", std::move(all)}}) + "\n");
}

void conformance(const Options& options, const Given& given) {
    const FieldValues values = values_of(given.set);
    const auto client = options.connect();
    const Landscape known = landscape(*client, options.timeout);
    const auto found = known.services().find(given.service);
    if (found == known.services().end())
        throw Stop(kNotFound,
                   fmt::format("{} has published no contract that can be read: start it on this "
                               "broker; saga services shows who runs",
                               harmless(given.service)));
    require_alone(*client, known, options, given.service);
    Stand stand(*client, found->second, values,
                {.request = options.timeout, .within = given.within});
    Trials trials(stand, given.restart, [&](const Row& row) {
        if (!options.json && row.verdict == Verdict::fail)
            note(fmt::format("{} {}: {}", harmless(row.step), row.trial, harmless(row.says)));
    });
    const std::vector<Row> rows = trials.run();
    options.json ? print_json(given.service, rows) : print(rows);
    if (!given.junit.empty()) write_junit(given.junit, given.service, rows);
    const auto failed = std::count_if(rows.begin(), rows.end(),
                                      [](const Row& row) { return row.verdict == Verdict::fail; });
    if (failed > 0)
        throw Stop(kError, fmt::format("{} failed: docs/protocol.md has the rules",
                                       count_text(std::size_t(failed), "trial")));
    const bool seen = std::any_of(rows.begin(), rows.end(),
                                  [](const Row& row) { return row.verdict == Verdict::pass; });
    if (!seen) throw Stop(kError, "nothing of it could be tried: see why each was skipped");
}

}  // namespace

void add_conformance(Command& tool, Options& options) {
    auto given = std::make_shared<Given>();
    Command command = tool.command(
        "conformance",
        "Try a participant, of any language, from outside: does it keep the protocol?");
    command.group("Design");
    command.footer(
        "Reads its contract, publishes events under the names of those that it listens to, and\n"
        "looks at what it says: duplicates, failures before and after their step, junk, unknown\n"
        "fields and types, order, a restart. It belongs on a broker of its own, where no other\n"
        "service runs: what is published there never happened. Ends with 1 where a trial fails.\n\n"
        "Texts of payloads are the saga's id, numbers 1, unless --set says otherwise.\n\n"
        "Examples:\n"
        "  saga conformance --service loyalty\n"
        "  saga conformance --service loyalty --restart 'systemctl restart loyalty'\n"
        "  saga conformance --service inventory --set sku=tea --junit conformance.xml");
    command.option("--service", given->service, "whom to try").required().type("NAME");
    command.option("--restart", given->restart, "kills it and starts it again, for a shell")
        .type("COMMAND");
    command.option("--set", given->set, "what fields of this name hold; may be repeated")
        .type("FIELD=VALUE");
    command.option("--junit", given->junit, "write the result there too, as XML").type("FILE");
    command.option("--within", given->within, "how long it may take to answer; otherwise 10s");
    command.runs([&options, given] { conformance(options, *given); });
}

}  // namespace saga::cli
