// saga asyncapi: the landscape for the tools of AsyncAPI.
#include "saga/flow/asyncapi.hpp"

#include <nlohmann/json.hpp>

#include "saga/bus/topology.hpp"
#include "saga/cli/command_line.hpp"
#include "saga/cli/contracts.hpp"
#include "saga/cli/output.hpp"
#include "saga/cli/words.hpp"
#include "saga/view/base64.hpp"

namespace saga::cli {
namespace {

using nlohmann::ordered_json;

struct Given {
    ContractSources sources;
    flow::ApiInfo info{.title = "Sagas", .version = "1.0.0"};
};

std::vector<core::PayloadSchema> schemas_in(const std::vector<flow::Contract>& contracts) {
    std::vector<core::PayloadSchema> found;
    for (const flow::Contract& contract : contracts)
        for (const std::string& schema : contract.schemas) {
            const auto bytes = from_base64(schema);
            auto sound = bytes ? core::PayloadSchema::read(*bytes) : std::nullopt;
            if (!sound)
                throw Stop(kError, fmt::format("the contract of {} carries a schema that is none: "
                                               "make it with `flatc --binary --schema`",
                                               harmless(contract.service)));
            found.push_back(std::move(*sound));
        }
    return found;
}

/// As `saga bootstrap` makes them; sizes and replicas are the operator's.
ordered_json streams() {
    auto all = ordered_json::array();
    for (const bus::Asset& asset : bus::assets(1, 0)) {
        if (asset.stream.starts_with("KV_")) continue;
        ordered_json stream = ordered_json::parse(asset.config);
        for (const char* left : {"num_replicas", "max_bytes"}) stream.erase(left);
        all.push_back(std::move(stream));
    }
    return all;
}

void asyncapi(const Options& options, const Given& given) {
    const std::vector<flow::Contract> all = contracts(options, given.sources);
    const std::vector<core::PayloadSchema> schemas = schemas_in(all);
    try {
        ordered_json document = flow::to_asyncapi(all, schemas, given.info);
        document["x-jetstream"] = {{"streams", streams()}};
        out(document.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n");
    } catch (const Error& failure) {
        throw Stop(kError, harmless(failure.what()));
    }
}

}  // namespace

void add_asyncapi(Command& tool, Options& options) {
    auto given = std::make_shared<Given>();
    Command command =
        tool.command("asyncapi", "Write the services' contracts as an AsyncAPI 3.0 document");
    command.group("Design");
    command.footer(
        "Examples:\n"
        "  saga asyncapi > asyncapi.json                      the services of this broker\n"
        "  saga asyncapi *.json --title Shop --release 1.4.0  contracts, as --contract prints "
        "them");
    add_contract_sources(command, given->sources);
    command.option("--title", given->info.title, "of the document");
    command.option("--release", given->info.version, "its version");
    command.runs([&options, given] { asyncapi(options, *given); });
}

}  // namespace saga::cli
