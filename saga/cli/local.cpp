#include "saga/cli/local.hpp"

#include <unistd.h>

#include <array>

#include "saga/cli/broker_info.hpp"

namespace saga::cli {
namespace {

namespace files = std::filesystem;

constexpr std::uint16_t kUsualPort = 4222;

/// How to reach a broker elsewhere: our own has neither users nor certificates.
constexpr std::array<std::string_view, 9> kNotOurs{"NATS_USER", "NATS_PASSWORD", "NATS_CREDS",
                                                   "NATS_NKEY", "NATS_CA",       "NATS_CERT",
                                                   "NATS_KEY",  "NATS_TOKEN",    "NATS_CONTEXT"};

std::vector<std::string> own_env() {
    std::vector<std::string> env;
    for (char** each = environ; *each != nullptr; ++each) env.emplace_back(*each);
    return env;
}

}  // namespace

files::path find_broker(const std::string& given) {
    const bool path = given.find('/') != std::string::npos;
    if (path && ::access(given.c_str(), X_OK) == 0) return files::absolute(given);
    if (!given.empty() && !path)
        if (files::path found = on_path(given); !found.empty()) return found;
    if (!given.empty())
        throw Stop(kError,
                   fmt::format("there is no program {}: --nats-server names a nats-server", given));
    if (files::path found = on_path("nats-server"); !found.empty()) return found;
    throw Stop(kError,
               "there is no nats-server on PATH: install it (apt install nats-server, or "
               "https://nats.io/download), or name one with --nats-server");
}

std::uint16_t pick_port(int given) {
    if (given <= 0) {
        auto found = given < 0 ? free_port(kUsualPort) : std::nullopt;
        if (!found) found = free_port(0);
        if (!found) throw Stop(kError, "no port of 127.0.0.1 is free");
        return *found;
    }
    const auto wanted = static_cast<std::uint16_t>(given);
    if (free_port(wanted)) return wanted;
    const std::string who = who_listens(wanted);
    throw Stop(kError, fmt::format("port {} is taken{}: stop that, or give --nats-port another "
                                   "one, or 0 for any that is free",
                                   wanted, who.empty() ? "" : " by " + who));
}

std::vector<Placed> placed(std::vector<Program> programs, const std::string& config) {
    std::vector<Placed> found;
    for (Program& program : programs) {
        try {
            const files::path path = find_program(program.command, own_path(), folder_of(config));
            found.push_back({std::move(program), path});
        } catch (const Stop& stop) {
            throw Stop(stop.code, fmt::format("[{}] of {}: {}", program.name, config, stop.what()));
        }
    }
    return found;
}

files::path folder_of(const std::string& config) {
    return files::absolute(config).parent_path();
}

Launch broker_launch(const files::path& broker, const files::path& store, std::uint16_t port) {
    return {.program = broker,
            .args = {"-js", "-sd", store.string(), "-a", "127.0.0.1", "-p", std::to_string(port)},
            .env = own_env()};
}

Launch program_launch(const Placed& program, const std::string& url, const files::path& data) {
    Launch launch{.program = program.path, .args = program.args, .env = own_env()};
    for (const std::string_view name : kNotOurs) unset(launch.env, name);
    set(launch.env, "NATS_URL", url);
    set(launch.env, "SAGA_DATA", data.string());
    set(launch.env, "SAGA_IN_SUBJECT", "1");
    for (const auto& [name, value] : program.env) set(launch.env, name, value);
    return launch;
}

void set(std::vector<std::string>& env, std::string_view name, std::string_view value) {
    unset(env, name);
    env.push_back(fmt::format("{}={}", name, value));
}

void unset(std::vector<std::string>& env, std::string_view name) {
    std::erase_if(env, [&](std::string_view each) {
        return each.starts_with(name) && each.substr(name.size()).starts_with("=");
    });
}

}  // namespace saga::cli
