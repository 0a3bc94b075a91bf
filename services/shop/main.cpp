// The shop's own client: fills the shelves, places orders, and looks whether all is well.
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "services/shop/command.hpp"

namespace shop {
namespace {

/// What is wrong with the command line, and where to read more.
int usage(const CLI::App& app, const CLI::ParseError& error, int argc) {
    if (error.get_exit_code() == 0) return app.exit(error) == 0 ? kOk : kUsage;
    if (argc == 1) {
        fmt::print(stderr, "{}", app.help());
        return kUsage;
    }
    const auto chosen = app.get_subcommands();
    if (chosen.empty()) {
        std::string names;
        for (const CLI::App* each : app.get_subcommands({}))
            names += (names.empty() ? "" : ", ") + each->get_name();
        fmt::print(stderr, "shop: {}; commands are {}\nMore: shop --help\n", error.what(), names);
    } else {
        fmt::print(stderr, "shop: {}\nMore: shop {} --help\n", error.what(),
                   chosen.front()->get_name());
    }
    return kUsage;
}

int run(int argc, char** argv) {
    Options options;
    CLI::App app{"Places orders with the shop's services, and audits what became of them.", "shop"};
    saga::add_client_flags(app, options.address);
    int patience = static_cast<int>(options.patience.count());
    app.add_option("--patience", patience, "seconds to ask again where nobody answers")
        ->check(CLI::Range(1, 24 * 3600));
    app.add_flag("-j,--json", options.json, "answer in JSON");
    app.require_subcommand(1);
    app.fallthrough();
    app.parse_complete_callback([&] { options.patience = std::chrono::seconds(patience); });
    add_seed(app, options);
    add_orders(app, options);
    add_import(app, options);
    add_load(app, options);
    add_audit(app, options);
    add_bank(app, options);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return usage(app, error, argc);
    } catch (const Stop& stop) {
        fmt::print(stderr, "shop: {}\n", stop.what());
        return stop.code;
    } catch (const saga::Error& failure) {
        fmt::print(stderr, "shop: {}\n", failure.what());
        return kUnreachable;
    } catch (const std::exception& failure) {
        fmt::print(stderr, "shop: {}\n", failure.what());
        return kError;
    }
    return kOk;
}

}  // namespace
}  // namespace shop

int main(int argc, char** argv) {
    return shop::run(argc, argv);
}
