#include <CLI/CLI.hpp>
#include <saga/address.hpp>

namespace saga {

void add_address_flags(CLI::App& app, Address& address) {
    app.add_option("-s,--server", address.url, "nats-server, several with commas")
        ->envname("NATS_URL");
    app.add_option("--user", address.user, "name of a user")->envname("NATS_USER");
    app.add_option("--password", address.password, "and its password")->envname("NATS_PASSWORD");
    app.add_option("--creds", address.creds, "file of credentials")->envname("NATS_CREDS");
    app.add_option("--nkey", address.nkey, "file of an NKey's seed")->envname("NATS_NKEY");
    app.add_option("--tlsca", address.ca, "certificates to trust")->envname("NATS_CA");
    app.add_option("--tlscert", address.cert, "own certificate")->envname("NATS_CERT");
    app.add_option("--tlskey", address.key, "and its key")->envname("NATS_KEY");
}

void add_client_flags(CLI::App& app, Address& address) {
    add_address_flags(app, address);
    app.add_option("--inbox-prefix", address.inbox_prefix,
                   "where answers come, such as _INBOX.NAME; otherwise _INBOX")
        ->envname("NATS_INBOX_PREFIX");
}

}  // namespace saga
