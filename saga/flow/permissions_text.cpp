#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>

#include "saga/flow/permissions.hpp"

namespace saga::flow {
namespace {

using nlohmann::ordered_json;

constexpr std::array<std::string_view, 5> kRoles{"service", "outside", "client", "observer",
                                                 "operator"};

std::string_view name_of(User::Role role) {
    return kRoles.at(static_cast<std::size_t>(role));
}

/// Subjects are tokens of letters, digits, "$", "_", "-", "*" and ">": nothing to be escaped.
void put_list(std::string& out, std::string_view name, const std::vector<std::string>& subjects) {
    if (subjects.empty()) return;
    fmt::format_to(std::back_inserter(out), "          {} = [\n", name);
    for (const std::string& subject : subjects)
        fmt::format_to(std::back_inserter(out), "            \"{}\"\n", subject);
    out += "          ]\n";
}

}  // namespace

std::string to_config(std::span<const User> users, const Keys& keys) {
    std::string out =
        "# Made by `saga permissions`: include it in nats-server's configuration. Make it again\n"
        "# before a release is started whose contract is another one.\n"
        "authorization {\n  users = [\n";
    const auto to = std::back_inserter(out);
    for (const User& user : users) {
        fmt::format_to(to, "    # {} ({}), inboxes {}.>\n", user.name, name_of(user.role),
                       user.inbox);
        fmt::format_to(to,
                       "    {{\n      nkey = \"{}\"\n      permissions {{\n        publish {{\n",
                       keys.at(user.name));
        put_list(out, "allow", user.publish);
        put_list(out, "deny", user.publish_never);
        out += "        }\n        subscribe {\n";
        put_list(out, "allow", user.subscribe);
        out += "        }\n      }\n    }\n";
    }
    return out + "  ]\n}\n";
}

std::string to_json(std::span<const User> users, const Keys& keys) {
    ordered_json all = ordered_json::array();
    for (const User& user : users) {
        const auto key = keys.find(user.name);
        all.push_back({{"name", user.name},
                       {"role", name_of(user.role)},
                       {"nkey", key == keys.end() ? "" : key->second},
                       {"inbox", user.inbox},
                       {"publish", {{"allow", user.publish}, {"deny", user.publish_never}}},
                       {"subscribe", {{"allow", user.subscribe}}}});
    }
    return ordered_json{{"users", std::move(all)}}.dump(2) + "\n";
}

}  // namespace saga::flow
