// saga verify: whether what stopped services and the stream hold fits together.
#include "saga/verify/verify.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "saga/cli/buckets.hpp"
#include "saga/cli/command_line.hpp"
#include "saga/cli/history.hpp"
#include "saga/cli/output.hpp"
#include "saga/cli/words.hpp"
#include "saga/core/shard.hpp"
#include "saga/core/subject.hpp"
#include "saga/runtime/stream_view.hpp"
#include "saga/verify/stopped.hpp"
#include "saga/view/message_json.hpp"

namespace saga::cli {
namespace {

using nlohmann::ordered_json;
using verify::Violation;

struct Given {
    std::vector<std::string> folders{"data"};
    std::vector<std::string> unordered;
    bool under_way = false;
};

struct Found {
    std::vector<std::string> services, absent;  ///< absent: those without a database here
    std::size_t events = 0;
    std::vector<Violation> violations, dead;
};

std::vector<verify::StoppedDatabase> open_all(const std::vector<std::string>& folders) {
    std::vector<verify::StoppedDatabase> all;
    for (const std::string& folder : folders)
        for (const auto& file : verify::databases_in(folder)) all.emplace_back(file);
    if (all.empty())
        throw Stop(kNotFound,
                   fmt::format("there is no database of a service in {}: name the folders of "
                               "--data",
                               fmt::join(folders, ", ")));
    return all;
}

void read_stream(const Options& options, bus::NatsClient& client, verify::Landscape& all) {
    const StreamState state = stream_state(client, options.timeout);
    all.stream_whole = state.first_seq <= 1 && state.messages == state.last_seq;
    runtime::StreamView view(options.reach());
    view.read_stored({.timeout = options.timeout}, [&](const bus::StoredMessage& stored) {
        all.stream.push_back({stored.seq, stored.subject, stored.stored_at, stored.bytes});
        return true;
    });
}

Found look(const Options& options, const Given& given) {
    const auto databases = open_all(given.folders);
    const auto client = options.connect();
    auto contracts = Bucket(*client, core::kContracts, options.timeout).all();
    verify::Landscape all;
    std::set<std::string> here;  // services, and shards
    Found found;
    for (const verify::StoppedDatabase& database : databases) {
        const std::string service = core::parse_instance(database.service()).service;
        const auto contract = contracts.find(service);
        if (contract == contracts.end())
            throw Stop(kError,
                       fmt::format("{} has published no contract on this broker: is it the one "
                                   "that the service works with?",
                                   harmless(database.service())));
        all.services.push_back(
            database.view(nlohmann::json::parse(contract->second, nullptr, false)));
        found.services.push_back(database.service());
        here.insert({service, database.service()});
    }
    for (const auto& [name, contract] : contracts)
        if (!here.contains(name)) found.absent.push_back(name);
    for (const std::string& name : found.services) {
        const core::Instance self = core::parse_instance(name);
        for (const core::Instance& each : core::instances_of(self.service, self.shard.of))
            if (here.insert(each.name()).second) found.absent.push_back(each.name());
    }
    read_stream(options, *client, all);
    found.events = all.stream.size();
    verify::Options asked{.at_rest = !given.under_way, .unordered = {}};
    asked.unordered.insert(given.unordered.begin(), given.unordered.end());
    found.violations = verify::check(all, asked);
    found.dead = verify::dead(all);
    return found;
}

ordered_json json_of(const std::vector<Violation>& all) {
    auto json = ordered_json::array();
    for (const Violation& each : all)
        json.push_back({{"invariant", each.invariant},
                        {"service", each.service},
                        {"saga", each.saga},
                        {"what", each.what}});
    return json;
}

void print(const Found& found) {
    Table table({"", "service", "saga", "what is wrong"});
    for (const Violation& each : found.violations)
        table.row({{each.invariant, Cell::Style::red},
                   harmless(each.service),
                   harmless(each.saga),
                   harmless(each.what)});
    if (!table.empty()) table.print(Paint());
    for (const std::string& name : found.absent)
        note(fmt::format("{} takes part, and its database is not here", harmless(name)));
    if (!found.dead.empty())
        note(fmt::format("{} for an operator: `saga dlq ls` shows them, once services run",
                         count_text(found.dead.size(), "dead letter")));
    const std::string what = fmt::format("{} of {}", count_text(found.events, "event"),
                                         count_text(found.services.size(), "service"));
    if (found.violations.empty()) out(fmt::format("all is well: {}\n", what));
}

void verify_all(const Options& options, const Given& given) {
    const Found found = look(options, given);
    if (options.json)
        out(line({{"ok", found.violations.empty()},
                  {"services", found.services},
                  {"absent", found.absent},
                  {"events", found.events},
                  {"violations", json_of(found.violations)},
                  {"dead", json_of(found.dead)}}) +
            "\n");
    else
        print(found);
    if (!found.violations.empty())
        throw Stop(kError, count_text(found.violations.size(), "violation"));
}

}  // namespace

void add_verify(Command& tool, Options& options) {
    auto given = std::make_shared<Given>();
    Command command = tool.command(
        "verify", "Check what stopped services and the stream hold: nothing lost, nothing twice");
    command.group("Operate");
    command.footer(
        "Stop the services when all is at rest; the broker goes on. Nothing is changed.\n"
        "Ends with 1 where something is wrong.\n"
        "Examples:\n  saga verify --data data\n  saga verify --data order --data payment --json");
    command.option("--data", given->folders, "folders with databases of services").type("FOLDER");
    command
        .option("--unordered", given->unordered,
                "services whose handlers say later(), or that were restored: the order in "
                "which they took events is not judged")
        .type("SERVICE");
    command.flag("--under-way", given->under_way,
                 "not everything was at rest: check what holds at any moment");
    command.runs([&options, given] { verify_all(options, *given); });
}

}  // namespace saga::cli
