// saga permissions: what each program may say and hear on the broker, worked out of contracts.
#include "saga/flow/permissions.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>

#include "saga/bus/nkey.hpp"
#include "saga/cli/command_line.hpp"
#include "saga/cli/contracts.hpp"
#include "saga/cli/output.hpp"
#include "saga/cli/words.hpp"
#include "saga/core/shard.hpp"

namespace saga::cli {
namespace {

namespace fs = std::filesystem;

struct Given {
    ContractSources sources, before;
    std::string keys;
    std::vector<std::string> key, clients, answers, asks, shards;
};

/// "payment=bank.charge,bank.refund"; without "=" nothing but a name.
flow::Programs::Words words_of(const std::vector<std::string>& given) {
    flow::Programs::Words all;
    for (const std::string& each : given) {
        const auto equals = each.find('=');
        std::set<std::string>& words = all[each.substr(0, equals)];
        if (equals == std::string::npos) continue;
        std::string_view rest = std::string_view(each).substr(equals + 1);
        do {
            const std::string_view word = rest.substr(0, rest.find(','));
            words.emplace(word);
            rest.remove_prefix(std::min(word.size() + 1, rest.size()));
        } while (!rest.empty());
    }
    return all;
}

/// "payment=4", or "payment=2,4" while they are moved.
std::map<std::string, std::set<unsigned>> shards_of(const std::vector<std::string>& given) {
    std::map<std::string, std::set<unsigned>> all;
    for (const auto& [name, counts] : words_of(given)) {
        if (counts.empty())
            throw Stop(kUsage, fmt::format("in how many shards does {0} run? --shards {0}=4",
                                           harmless(name)));
        for (const std::string& count : counts) {
            const auto shard = core::parse_shard("0/" + count);
            if (!shard)
                throw Stop(kUsage, fmt::format("\"{}\" is no number of shards: --shards {}=4",
                                               harmless(count), harmless(name)));
            all[name].insert(shard->of);
        }
    }
    return all;
}

/// NAME.nk, or NAME.pub: what `nk` and `nsc` write.
void read_folder(const std::string& folder, flow::Keys& keys) {
    std::error_code failed;
    for (const fs::directory_entry& each : fs::directory_iterator(folder, failed)) {
        const fs::path& path = each.path();
        if (path.extension() != ".nk" && path.extension() != ".pub") continue;
        const std::string key = bus::public_nkey(path.string());
        const auto [at, fresh] = keys.emplace(path.stem().string(), key);
        if (!fresh && at->second != key)
            throw Stop(kError, fmt::format("{} holds two keys of {}", harmless(folder),
                                           harmless(path.stem().string())));
    }
    if (failed)
        throw Stop(kError, fmt::format("cannot read the folder {}: {}", harmless(folder),
                                       failed.message()));
}

flow::Keys keys_of(const Given& given) {
    flow::Keys keys;
    if (!given.keys.empty()) read_folder(given.keys, keys);
    for (const std::string& each : given.key) {
        const auto equals = each.find('=');
        const std::string key = equals == std::string::npos ? "" : each.substr(equals + 1);
        if (!bus::is_user_nkey(key))
            throw Stop(kUsage, fmt::format("\"{}\" is no NAME=KEY, whose key is a user's public "
                                           "one and begins with U",
                                           harmless(each)));
        keys[each.substr(0, equals)] = key;
    }
    return keys;
}

/// A user without a key could not come in, a key without a user is a slip of the pen, and one key
/// is one user.
void require_keys(const std::vector<flow::User>& users, const flow::Keys& keys) {
    std::vector<std::string> without;
    std::map<std::string, std::string> taken;
    flow::Keys left = keys;
    for (const flow::User& user : users) {
        const auto key = left.find(user.name);
        if (key == left.end()) {
            without.push_back(user.name);
            continue;
        }
        const auto [first, fresh] = taken.emplace(key->second, user.name);
        if (!fresh)
            throw Stop(kError, fmt::format("{} and {} have one key: make another for one of them",
                                           first->second, user.name));
        left.erase(key);
    }
    if (!without.empty())
        throw Stop(kError, fmt::format("there is no key of {}: give --keys a folder with NAME.nk "
                                       "of each, as `nk -gen user` makes it, or --key NAME=U...",
                                       fmt::join(without, ", ")));
    if (!left.empty())
        throw Stop(kError, fmt::format("the key of {} is nobody's here: name a program with "
                                       "--client or --answers",
                                       harmless(left.begin()->first)));
}

void permissions(const Options& options, const Given& given) {
    std::vector<flow::Contract> all = contracts(options, given.sources);
    if (!given.before.files.empty())
        for (flow::Contract& each : contracts(options, given.before))
            all.push_back(std::move(each));
    const flow::Programs programs{.clients = words_of(given.clients),
                                  .answers = words_of(given.answers),
                                  .asks = words_of(given.asks),
                                  .shards = shards_of(given.shards)};
    const std::vector<flow::User> users = [&] {
        try {
            return flow::users_of(all, programs);
        } catch (const Error& failure) {
            throw Stop(kError, harmless(failure.what()));
        }
    }();
    const flow::Keys keys = keys_of(given);
    if (options.json && keys.empty()) return out(flow::to_json(users, keys));
    require_keys(users, keys);
    out(options.json ? flow::to_json(users, keys) : flow::to_config(users, keys));
}

}  // namespace

void add_permissions(Command& tool, Options& options) {
    auto given = std::make_shared<Given>();
    Command command = tool.command(
        "permissions",
        "Write nats-server's users and what each may do, from the services' contracts");
    command.group("Design");
    command.footer(
        "Users are the services, operator and observer (of this tool), and the programs beside the "
        "services.\n"
        "Examples:\n"
        "  saga permissions --live --keys /etc/nats/keys > users.conf\n"
        "  saga permissions *.json --keys keys --client web=order.place,order.show\n"
        "  saga permissions *.json --keys keys --answers bank=bank.charge,bank.refund \\\n"
        "                   --asks payment=bank.charge,bank.refund\n"
        "  saga permissions payment.json --json    what payment needs, without keys");
    add_contract_sources(command, given->sources);
    command
        .option("--before", given->before.files,
                "contracts of the release before, whose events may be sent again")
        .type("FILE")
        .one_at_a_time();
    command.option("--keys", given->keys, "folder with NAME.nk or NAME.pub of each user")
        .type("DIR");
    command.option("--key", given->key, "a user's public NKey; once for each")
        .type("NAME=KEY")
        .one_at_a_time();
    command
        .option("--client", given->clients,
                "a program that sends these requests; without any, all of them")
        .type("NAME[=SERVICE.VERB,...]")
        .one_at_a_time();
    command.option("--answers", given->answers, "a program that answers calls")
        .type("NAME=SUBJECT,...")
        .one_at_a_time();
    command.option("--asks", given->asks, "who asks there, a service or a program")
        .type("NAME=SUBJECT,...")
        .one_at_a_time();
    command
        .option("--shards", given->shards,
                "in how many a service runs; 2,4 while it is moved from 2 to 4")
        .type("SERVICE=N[,N]")
        .one_at_a_time();
    command.runs([&options, given] { permissions(options, *given); });
}

}  // namespace saga::cli
