// saga check: whether a choreography comes to one end, whatever happens.
#include "saga/flow/check.hpp"

#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "saga/cli/command_line.hpp"
#include "saga/cli/contracts.hpp"
#include "saga/cli/output.hpp"
#include "saga/cli/words.hpp"
#include "saga/view/message_json.hpp"

namespace saga::cli {
namespace {

using nlohmann::ordered_json;

struct Given {
    ContractSources sources;
    std::size_t most_states = 2'000'000;  // 400 MiB with twelve services
    bool mermaid = false;
};

ordered_json json_of(const flow::Finding& finding) {
    auto course = ordered_json::array();
    for (const flow::Finding::Line& each : finding.course)
        course.push_back({{"from", each.from},
                          {"to", each.to},
                          {"message", each.message},
                          {"deeds", each.deeds}});
    return {{"what", flow::name_of(finding.what)},
            {"about", finding.about},
            {"says", finding.says},
            {"mend", finding.mend},
            {"course", std::move(course)}};
}

void print(const flow::Finding& finding, bool mermaid) {
    const Paint paint;
    out(fmt::format("{}  {}\n", paint.red(flow::name_of(finding.what)), harmless(finding.says)));
    if (!finding.course.empty())
        out(mermaid ? fmt::format("```mermaid\n{}```\n", to_mermaid(finding)) : to_text(finding));
    out(fmt::format("{}  {}\n\n", paint.dim("to mend it:"), harmless(finding.mend)));
}

void check(const Options& options, const Given& given) {
    const std::vector<flow::Contract> all = contracts(options, given.sources);
    const flow::Verdict verdict = flow::check(all, given.most_states);
    const bool holds = verdict.findings.empty() && verdict.complete;
    if (options.json) {
        auto findings = ordered_json::array();
        for (const flow::Finding& each : verdict.findings) findings.push_back(json_of(each));
        out(line({{"holds", holds},
                  {"complete", verdict.complete},
                  {"services", all.size()},
                  {"begins", verdict.begins},
                  {"states", verdict.states},
                  {"findings", std::move(findings)}}) +
            "\n");
    } else {
        for (const flow::Finding& each : verdict.findings) print(each, given.mermaid);
        if (holds)
            out(fmt::format("it holds: {}, sagas of {}, {} explored\n",
                            count_text(all.size(), "service"),
                            harmless(fmt::format("{}", fmt::join(verdict.begins, " and "))),
                            count_text(verdict.states, "state")));
    }
    if (!verdict.findings.empty())
        throw Stop(kError, count_text(verdict.findings.size(), "finding"));
    if (verdict.too_large)
        throw Stop(kError,
                   "nothing is proven: more than 6 commands may come later in a saga, or steps "
                   "that run once for each event have more than 512 runs");
    if (!verdict.complete)
        throw Stop(kError, fmt::format("nothing is wrong in {}, and there are more: --states N "
                                       "explores more of them",
                                       count_text(verdict.states, "state")));
}

}  // namespace

void add_check(Command& tool, Options& options) {
    auto given = std::make_shared<Given>();
    Command command = tool.command(
        "check",
        "Explore every order of events of the services' contracts: does each saga end, once?");
    command.group("Design");
    command.footer(
        "Looks for events without a source or a reader, failures that leave a finished step "
        "standing,\nfailures beside a pivot, sagas that end twice or never, joins that wait in "
        "vain, cycles, idle undos.\nEnds with 1 where it finds one.\n"
        "Examples:\n"
        "  saga check                              the services of this broker\n"
        "  saga check order.json payment.json      contracts, as `payment --contract` prints them\n"
        "  saga check --live payment.json          the next payment among those that run");
    add_contract_sources(command, given->sources);
    command.option("--states", given->most_states, "explore so many at most").type("N");
    command.flag("--mermaid", given->mermaid, "draw the courses of events for Mermaid");
    command.runs([&options, given] { check(options, *given); });
}

}  // namespace saga::cli
