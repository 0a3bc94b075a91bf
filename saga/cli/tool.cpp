// The tool's flags, its commands, and how it ends.
#include <CLI/CLI.hpp>

#include "saga/cli/command.hpp"
#include "saga/cli/command_line.hpp"
#include "saga/cli/help.hpp"
#include "saga/cli/output.hpp"
#include "version.hpp"

namespace saga::cli {
namespace {

constexpr int kBrokenPipe = 141;  // as a shell says it of a program that SIGPIPE ended

void add_flags(CLI::App& app, Options& options) {
    options.address.url.clear();  // so that a context can fill it
    add_client_flags(app, options.address);
    Command tool(app);
    tool.option("--context", options.context, "natscli's context").variable("NATS_CONTEXT");
    tool.option("--timeout", options.timeout, "of one request, such as 5s or 500ms")
        .variable("NATS_TIMEOUT");
    tool.flag("-j,--json", options.json, "answer in JSON");
    tool.flag("-f,--force", options.force, "do not ask");
    app.set_version_flag("--version", kVersion);
    tool.requires_command();
    tool.footer(
        "Examples:\n"
        "  saga dev --config services/shop.ini    a broker and the services of a file\n"
        "  saga doctor                            is all well, and how to mend what is not\n"
        "  saga ls --since 1h                     the latest sagas\n"
        "  saga trace o-1001                      one of them, event by event");
    app.fallthrough();
}

void add_commands(Command tool, Options& options) {
    add_ls(tool, options);
    add_show(tool, options);
    add_trace(tool, options);
    add_watch(tool, options);
    add_wait(tool, options);
    add_decode(tool, options);
    add_services(tool, options);
    add_outbox(tool, options);
    add_actions(tool, options);
    add_dlq(tool, options);
    add_check(tool, options);
    add_conformance(tool, options);
    add_graph(tool, options);
    add_permissions(tool, options);
    add_asyncapi(tool, options);
    add_schema(tool, options);
    add_dev(tool, options);
    add_chaos(tool, options);
    add_doctor(tool, options);
    add_verify(tool, options);
    add_bootstrap(tool, options);
    add_backup(tool, options);
    add_restore(tool, options);
    add_reconcile(tool, options);
    add_completion(tool, options);
}

/// What is wrong with the command line, and where to read more.
int usage(const CLI::App& app, const CLI::ParseError& error, int argc, const char* const* argv) {
    if (error.get_exit_code() == 0) return app.exit(error) == 0 ? kOk : kUsage;
    if (argc == 1) {
        fmt::print(stderr, "{}", app.help());
        return kUsage;
    }
    std::string what = error.what();
    std::string where = "saga";
    const CLI::App* at = &app;
    for (auto chosen = at->get_subcommands(); !chosen.empty(); chosen = at->get_subcommands()) {
        at = chosen.front();
        where += " " + at->get_name();
    }
    std::string similar;
    if (at == &app)
        for (int i = 1; i < argc && similar.empty(); ++i)
            if (argv[i][0] != '-') similar = similar_command(app, argv[i]);
    if (!similar.empty()) what += fmt::format("\nDid you mean: saga {}", similar);
    note(fmt::format("saga: {}\nMore: {} --help", what, where));
    return kUsage;
}

int ended(const Stop& stop) {
    if (*stop.what() != '\0') note(fmt::format("saga: {}", stop.what()));
    return stop.code;
}

}  // namespace

int run(int argc, const char* const* argv) {
    Options options;
    CLI::App app{"Looks at sagas, acts on what is stuck, and runs a landscape of services.",
                 "saga"};
    set_help_style(app);
    add_flags(app, options);
    add_commands(Command(app), options);
    try {
        app.parse(argc, argv);
        std::fflush(stdout);
    } catch (const CLI::ParseError& error) {
        return usage(app, error, argc, argv);
    } catch (const Stop& stop) {
        return ended(stop);
    } catch (const NobodyReads&) {
        return kBrokenPipe;
    } catch (const bus::NoAnswer& none) {
        note(fmt::format("saga: {}", none.what()));
        return kUnreachable;
    } catch (const std::exception& failure) {
        note(fmt::format("saga: {}", failure.what()));
        return kError;
    }
    return kOk;
}

}  // namespace saga::cli
