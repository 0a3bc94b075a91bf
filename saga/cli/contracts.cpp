#include "saga/cli/contracts.hpp"

#include <fmt/format.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "saga/cli/buckets.hpp"
#include "saga/cli/command_line.hpp"
#include "saga/cli/landscape.hpp"
#include "saga/cli/words.hpp"

namespace saga::cli {
namespace {

constexpr std::size_t kMostBytes = 16 * 1024 * 1024;  // of a file; the shop's have 6,000

flow::Contract contract_of(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file)
        throw Stop(kError, fmt::format("cannot read {}: is there such a file?", harmless(path)));
    std::string text(kMostBytes, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(file.gcount()));
    const nlohmann::json json = read_json(text);
    if (json.is_discarded())
        throw Stop(kError, fmt::format("{} is no JSON: a service prints its contract with "
                                       "--contract, as in `payment --contract > payment.json`",
                                       harmless(path)));
    try {
        return flow::read_contract(json);
    } catch (const Error& failure) {
        throw Stop(kError, fmt::format("{}: {}", harmless(path), harmless(failure.what())));
    }
}

std::vector<flow::Contract> running(const Options& options) {
    const Landscape known = landscape(*options.connect(), options.timeout);
    for (const auto& [service, why] : known.unreadable())
        throw Stop(kError, fmt::format("the contract of {} cannot be read: {}", harmless(service),
                                       harmless(why)));
    if (known.empty())
        throw Stop(kNotFound,
                   "no service has published a contract on this broker: start them, or "
                   "name files, each as a service prints it with --contract");
    std::vector<flow::Contract> found;
    for (const auto& [service, contract] : known.services()) found.push_back(contract);
    return found;
}

}  // namespace

void add_contract_sources(Command& command, ContractSources& sources) {
    command.argument("files", sources.files, "contracts; without any, those that the broker holds")
        .type("FILE");
    command.flag("--live", sources.live, "beside the files, those that the broker holds");
}

std::vector<flow::Contract> contracts(const Options& options, const ContractSources& sources) {
    std::map<std::string, flow::Contract> all;
    for (const std::string& path : sources.files) {
        flow::Contract contract = contract_of(path);
        const std::string service = contract.service;
        if (!all.emplace(service, std::move(contract)).second)
            throw Stop(kUsage,
                       fmt::format("two of the files are contracts of {}", harmless(service)));
    }
    if (sources.live || sources.files.empty())
        for (flow::Contract& contract : running(options)) {
            const std::string service = contract.service;
            all.emplace(service, std::move(contract));
        }
    std::vector<flow::Contract> found;
    for (auto& [service, contract] : all) found.push_back(std::move(contract));
    return found;
}

}  // namespace saga::cli
