// saga backup: copies of services' databases and keys, of running services and of stopped ones.
#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "saga/cli/command_line.hpp"
#include "saga/cli/interrupt.hpp"
#include "saga/cli/output.hpp"
#include "saga/cli/participants.hpp"
#include "saga/cli/stopped.hpp"
#include "saga/cli/words.hpp"
#include "saga/runtime/backups.hpp"
#include "saga/runtime/key_file.hpp"
#include "saga/view/message_json.hpp"

namespace saga::cli {
namespace {

using namespace std::chrono_literals;

constexpr auto kBetweenLooks = 50ms;

struct Given {
    std::vector<std::string> services;
    std::string data, to;
};

struct Made {
    std::string service, path;
    std::uint64_t bytes = 0;
};

/// Begins one, and looks until it is there. A service that is away for a moment comes back.
Made of_running(const Participants& participants, const std::string& service,
                std::chrono::milliseconds timeout, const Interrupt& interrupt) {
    nlohmann::json body;  // null: begin
    auto heard = std::chrono::steady_clock::now();
    while (true) {
        if (const auto answer = participants.ask(service, "backup", body)) {
            const auto backup = answer->value("backup", nlohmann::ordered_json::object());
            body = {{"name", backup.value("name", "")}};
            heard = std::chrono::steady_clock::now();
            if (backup.value("state", "") == "done")
                return {service, backup.value("path", ""), backup.value("bytes", std::uint64_t{0})};
        } else if (std::chrono::steady_clock::now() - heard >= timeout) {
            throw Stop(kUnreachable, fmt::format("{} does not answer: is it running? Of one that "
                                                 "is stopped: saga backup {} --data FOLDER",
                                                 service, service));
        }
        if (interrupt.asked()) throw Stop(kInterrupted, "interrupted; what is begun goes on");
        std::this_thread::sleep_for(kBetweenLooks);
    }
}

Made of_stopped(const Given& given, const std::string& service) {
    store::Database db({.path = database_in(given.data, service), .vfs = {}});
    const std::string to = given.to.empty() ? given.data + "/backups" : given.to;
    const auto now =
        std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
    runtime::Backup backup(db, {service, runtime::key_path(given.data, service), to}, now);
    while (!backup.step()) continue;
    return {service, backup.path(), backup.all_bytes()};
}

void show(const Options& options, const Made& made) {
    if (options.json)
        return out_now(line(nlohmann::ordered_json{
                           {"service", made.service}, {"path", made.path}, {"bytes", made.bytes}}) +
                       "\n");
    out_now(fmt::format("{}: {}, {}\n", made.service, harmless(made.path), size_text(made.bytes)));
}

void backup(const Options& options, const Given& given) {
    if (!given.data.empty()) {
        if (given.services.empty()) throw Stop(kUsage, "name the services whose files they are");
        for (const std::string& service : given.services) show(options, of_stopped(given, service));
        return;
    }
    if (!given.to.empty())
        throw Stop(kUsage,
                   "a running service writes into its own folder of backups (its flag --backups); "
                   "--to goes with --data, of a stopped one");
    const auto client = options.connect();
    const Participants participants(*client, options.timeout);
    const Interrupt interrupt;
    for (const std::string& name : chosen_services(*client, options.timeout, given.services)) {
        show(options, of_running(participants, name, options.timeout, interrupt));
    }
}

}  // namespace

void add_backup(Command& tool, Options& options) {
    auto given = std::make_shared<Given>();
    Command command =
        tool.command("backup", "Copy the databases and keys of services, while they work");
    command.group("Operate");
    command.footer(
        "Examples:\n"
        "  saga backup                                     every service, each on its own host\n"
        "  saga backup payment\n"
        "  saga backup payment --data /var/lib/payment     of a stopped one\n"
        "A backup is a folder with the database and its key: guard it like a password.");
    command.argument("service", given->services, "these; otherwise all that are known");
    command.option("--data", given->data, "folder of a stopped service's files").type("FOLDER");
    command.option("--to", given->to, "with --data: where to; otherwise backups in it")
        .type("FOLDER");
    command.runs([&options, given] { backup(options, *given); });
}

}  // namespace saga::cli
