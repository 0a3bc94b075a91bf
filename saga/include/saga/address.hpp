// How a program reaches the broker, and the flags and variables that say so.
#pragma once

#include <chrono>
#include <string>

namespace CLI {
class App;
}

namespace saga {

/// As natscli has them. Empty: not used.
struct Address {
    std::string url = "nats://127.0.0.1:4222";  ///< several with commas
    std::string user, password, token;
    std::string creds;          ///< a file of a JWT and its seed
    std::string nkey;           ///< a file of an NKey's seed
    std::string ca, cert, key;  ///< files of TLS
    /// Of client programs, where their user may read no other inbox; services have their own. They
    /// answer only below `_INBOX.`.
    std::string inbox_prefix;
    std::chrono::milliseconds timeout{2'000};  ///< of one attempt to connect
};

/// --server (NATS_URL), --user, --password, --creds, --nkey, --tlsca, --tlscert, --tlskey.
void add_address_flags(CLI::App& app, Address& address);
/// Those, and --inbox-prefix (NATS_INBOX_PREFIX): of programs that are no service.
void add_client_flags(CLI::App& app, Address& address);

}  // namespace saga
