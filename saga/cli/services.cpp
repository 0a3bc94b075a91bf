// saga services, saga outbox: how the running services are.
#include <nlohmann/json.hpp>

#include "saga/cli/command_line.hpp"
#include "saga/cli/output.hpp"
#include "saga/cli/participants.hpp"
#include "saga/cli/words.hpp"
#include "saga/view/message_json.hpp"

namespace saga::cli {
namespace {

struct Seen {
    std::string service;
    std::optional<ServiceState> state;
};

std::vector<Seen> look(const Options& options, const std::vector<std::string>& named) {
    const auto client = options.connect();
    const Participants participants(*client, options.timeout);
    std::vector<Seen> seen;
    for (const std::string& name : chosen_services(*client, options.timeout, named))
        seen.push_back({name, participants.state(name)});
    if (seen.empty()) {
        note("no service has published a contract on this broker, and none is meant to run");
        note("next: saga dev --config services/shop.ini");
    }
    return seen;
}

std::string number(std::uint64_t value) {
    return std::to_string(value);
}
Cell bad(std::uint64_t value) {
    return {number(value), value == 0 ? Cell::Style::plain : Cell::Style::red};
}

/// Of those that were asked for by name.
void require_answers(const std::vector<Seen>& seen, const std::vector<std::string>& named) {
    if (named.empty()) return;
    for (const Seen& each : seen)
        if (!each.state)
            throw Stop(kUnreachable, fmt::format("{} does not answer: is it running? See "
                                                 "`saga doctor`",
                                                 each.service));
}

void services(const Options& options, const std::vector<std::string>& named) {
    const std::vector<Seen> seen = look(options, named);
    if (options.json) {
        auto json = nlohmann::ordered_json::array();
        for (const Seen& each : seen)
            json.push_back(each.state ? each.state->json
                                      : nlohmann::ordered_json{{"service", each.service},
                                                               {"ready", false},
                                                               {"trouble", "it does not answer"}});
        out(line(json) + "\n");
    } else {
        Table table({"service", "state", "version", ">lag", ">outbox", ">parked", ">dead", ">aside",
                     ">timers", ">calls", ">database", "where"});
        for (const auto& [service, state] : seen) {
            if (!state) {
                table.row({{service, Cell::Style::bold}, {"no answer", Cell::Style::red}});
                continue;
            }
            const auto style = state->ready ? Cell::Style::green : Cell::Style::yellow;
            table.row({{service, Cell::Style::bold},
                       {state->ready ? "ready" : "not ready", style},
                       state->version,
                       number(state->lag),
                       number(state->unsettled),
                       number(state->parked),
                       bad(state->dead),
                       number(state->aside),
                       number(state->timers),
                       number(state->calls),
                       size_text(state->db_bytes + state->wal_bytes),
                       harmless(state->where)});
        }
        if (!table.empty()) table.print(Paint());
        for (const auto& [service, state] : seen)
            if (state && !state->ready)
                note(fmt::format("{} is not ready: {}", service, harmless(state->trouble)));
    }
    require_answers(seen, named);
}

void outbox(const Options& options, const std::vector<std::string>& named) {
    const std::vector<Seen> seen = look(options, named);
    auto json = nlohmann::ordered_json::array();
    Table table({"service", ">unsettled", ">oldest", "state"});
    for (const auto& [service, state] : seen) {
        if (!state) {
            json.push_back({{"service", service}, {"unsettled", nullptr}});
            table.row({{service, Cell::Style::bold}, "", "", {"no answer", Cell::Style::red}});
            continue;
        }
        json.push_back({{"service", service},
                        {"unsettled", state->unsettled},
                        {"oldest_seconds", state->oldest_seconds},
                        {"sent", state->json.value("sent", 0)},
                        {"sent_again", state->json.value("sent_again", 0)}});
        const auto oldest =
            std::chrono::nanoseconds(static_cast<std::int64_t>(state->oldest_seconds * 1e9));
        table.row({{service, Cell::Style::bold},
                   number(state->unsettled),
                   state->unsettled == 0 ? "-" : brief(oldest),
                   state->ready ? "" : harmless(state->trouble)});
    }
    if (options.json)
        out(line(json) + "\n");
    else if (!table.empty())
        table.print(Paint());
    require_answers(seen, named);
}

}  // namespace

void add_services(Command& tool, Options& options) {
    auto named = std::make_shared<std::vector<std::string>>();
    Command command = tool.command("services", "How each running service is");
    command.group("Look");
    command.footer("Examples:\n  saga services\n  saga services payment --json");
    command.argument("service", *named, "these; otherwise all that are known");
    command.runs([&options, named] { services(options, *named); });
}

void add_outbox(Command& tool, Options& options) {
    auto named = std::make_shared<std::vector<std::string>>();
    Command command = tool.command("outbox", "Events that wait to be read back from the stream");
    command.group("Look");
    command.footer("Examples:\n  saga outbox\n  saga outbox payment");
    command.argument("service", *named, "these; otherwise all that are known");
    command.runs([&options, named] { outbox(options, *named); });
}

}  // namespace saga::cli
