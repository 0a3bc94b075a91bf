// What a nats-server says of itself before anybody logs in, and who holds a port.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "saga/cli/command.hpp"

namespace saga::cli {

struct BrokerInfo {
    std::string version, name;
    bool jetstream = false, tls = false, auth = false;
    std::uint64_t max_payload = 0;
    std::chrono::nanoseconds round_trip{0};
};

/// The line "INFO {…}" that a nats-server sends first. Empty when the line is none.
std::optional<BrokerInfo> parse_info(std::string_view line);

/// Host and port of "nats://user:word@host:4222", of the first of several.
struct Endpoint {
    std::string host;
    std::uint16_t port = 4222;
};
std::optional<Endpoint> endpoint_of(std::string_view url);

/// Connects and reads that line; `trouble` says why not.
struct Greeting {
    std::optional<BrokerInfo> info;
    std::string trouble;
};
Greeting greet(const Endpoint& endpoint, std::chrono::milliseconds timeout);

/// "process 123 (nats-server)", of whoever listens on a port of this machine; empty where that
/// cannot be seen.
std::string who_listens(std::uint16_t port);
/// Whether 127.0.0.1 has it free now; 0 asks for any. The port, or nothing.
std::optional<std::uint16_t> free_port(std::uint16_t wanted);

}  // namespace saga::cli
