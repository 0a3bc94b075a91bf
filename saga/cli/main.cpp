// The tool of operators and integrators: looks at sagas from outside, over NATS.
#include <cstdio>

#include "saga/cli/command.hpp"
#include "version.hpp"

namespace saga::cli {
namespace {

void add_flags(CLI::App& app, Options& options) {
    bus::Address& address = options.address;
    address.url.clear();  // so that a context can fill it
    app.add_option("-s,--server", address.url, "nats-server, several with commas")
        ->envname("NATS_URL");
    app.add_option("--user", address.user, "user, or token")->envname("NATS_USER");
    app.add_option("--password", address.password, "password")->envname("NATS_PASSWORD");
    app.add_option("--creds", address.creds, "file of credentials")->envname("NATS_CREDS");
    app.add_option("--nkey", address.nkey, "file of an NKey's seed")->envname("NATS_NKEY");
    app.add_option("--tlsca", address.ca, "certificates to trust")->envname("NATS_CA");
    app.add_option("--tlscert", address.cert, "own certificate")->envname("NATS_CERT");
    app.add_option("--tlskey", address.key, "and its key")->envname("NATS_KEY");
    app.add_option("--context", options.context, "natscli's context")->envname("NATS_CONTEXT");
    app.add_option("--timeout", options.timeout, "of one request, such as 5s or 500ms")
        ->envname("NATS_TIMEOUT")
        ->transform(CLI::AsNumberWithUnit(
            std::map<std::string, std::int64_t>{{"ms", 1}, {"s", 1000}, {"m", 60'000}},
            CLI::AsNumberWithUnit::UNIT_OPTIONAL, "TIME"));
    app.add_flag("-j,--json", options.json, "answer in JSON");
    app.add_flag("-f,--force", options.force, "do not ask");
    app.set_version_flag("--version", kVersion);
    app.require_subcommand(1);
    app.fallthrough();
}

int run(int argc, char** argv) {
    Options options;
    CLI::App app{"Looks at sagas, and acts on what is stuck.", "saga"};
    add_flags(app, options);
    add_bootstrap(app, options);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        const int code = app.exit(error);
        return code == 0 ? kOk : kUsage;
    } catch (const Stop& stop) {
        fmt::print(stderr, "saga: {}\n", stop.what());
        return stop.code;
    } catch (const bus::NoAnswer& none) {
        fmt::print(stderr, "saga: {}\n", none.what());
        return kUnreachable;
    } catch (const std::exception& failure) {
        fmt::print(stderr, "saga: {}\n", failure.what());
        return kError;
    }
    return kOk;
}

}  // namespace
}  // namespace saga::cli

int main(int argc, char** argv) {
    return saga::cli::run(argc, argv);
}
