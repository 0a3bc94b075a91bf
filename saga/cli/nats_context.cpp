#include "saga/cli/nats_context.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "saga/cli/command.hpp"

namespace saga::cli {
namespace {

/// $XDG_CONFIG_HOME/nats, or ~/.config/nats.
std::filesystem::path folder() {
    if (const char* xdg = std::getenv("XDG_CONFIG_HOME"); xdg != nullptr && *xdg != '\0')
        return std::filesystem::path(xdg) / "nats";
    const char* home = std::getenv("HOME");
    return std::filesystem::path(home == nullptr ? "." : home) / ".config" / "nats";
}

/// "~/x" as natscli reads it.
std::string expanded(const std::string& path) {
    const char* home = std::getenv("HOME");
    return path.starts_with("~/") && home != nullptr ? home + path.substr(1) : path;
}

}  // namespace

void apply_context(bus::Address& address, const std::string& name) {
    std::string chosen = name;
    if (chosen.empty()) {
        std::ifstream selected(folder() / "context.txt");
        selected >> chosen;
    }
    if (chosen.empty()) return;
    const auto path = folder() / "context" / (chosen + ".json");
    std::ifstream file(path);
    const auto json = nlohmann::json::parse(file, nullptr, false);
    if (!json.is_object())
        throw Stop(kError, fmt::format("cannot read the context {} ({}): see `nats context ls`",
                                       chosen, path.string()));
    const auto fill = [&](std::string& field, const char* key) {
        if (field.empty()) field = json.value(key, "");
    };
    fill(address.url, "url");
    fill(address.user, "user");
    fill(address.password, "password");
    fill(address.token, "token");
    fill(address.creds, "creds");
    fill(address.nkey, "nkey");
    fill(address.cert, "cert");
    fill(address.key, "key");
    fill(address.ca, "ca");
    fill(address.inbox_prefix, "inbox_prefix");
    for (std::string* path_field :
         {&address.creds, &address.nkey, &address.cert, &address.key, &address.ca})
        *path_field = expanded(*path_field);
}

}  // namespace saga::cli
