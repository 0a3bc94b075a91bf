// saga schema: what events look like, in which versions, and whether a next one may be released.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sodium.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <saga/detail/event_type.hpp>
#include <set>

#include "contract_schema.hpp"
#include "saga/cli/command_line.hpp"
#include "saga/cli/contracts.hpp"
#include "saga/cli/output.hpp"
#include "saga/cli/words.hpp"
#include "saga/core/payload_json.hpp"
#include "saga/core/text.hpp"
#include "saga/flow/evolution.hpp"
#include "saga/flow/schema_text.hpp"
#include "saga/view/base64.hpp"
#include "saga/view/message_json.hpp"

namespace saga::cli {
namespace {

namespace files = std::filesystem;
using nlohmann::ordered_json;

constexpr std::size_t kVersionBytes = 4;  // of a digest: enough to tell a type's few versions apart

// ---- what contracts carry -----------------------------------------------------------------------

/// One form of an event or a request.
struct Version {
    std::string type, owner, text, digest;  ///< no text, and "-": nobody carries its schema
    std::string commented;                  ///< the text with comments, the owner's if it knows it
    std::vector<std::string> services;      ///< that know it so
};

std::set<std::string> types_of(const flow::Contract& contract) {
    std::set<std::string> all(contract.reactions.begin(), contract.reactions.end());
    const auto add = [&](const std::vector<flow::Emits>& emits) {
        for (const flow::Emits& each : emits) all.insert(each.event);
    };
    for (const flow::Step& step : contract.steps) {
        all.insert(step.on.begin(), step.on.end());
        all.insert(step.undo_on.begin(), step.undo_on.end());
        add(step.emits);
        add(step.undone);
        for (const flow::Expect& expect : step.expects) {
            all.insert(expect.answers.begin(), expect.answers.end());
            add(expect.asks);
        }
    }
    for (const flow::Command& command : contract.commands) {
        all.insert(command.accepts);
        if (!command.request.empty()) all.insert(command.request);
    }
    all.erase(std::string(flow::kAnyFailure));
    all.erase(std::string(flow::kAnyEvent));
    return all;
}

std::vector<core::PayloadSchema> schemas_of(const flow::Contract& contract) {
    std::vector<core::PayloadSchema> all;
    for (const std::string& text : contract.schemas) {
        const auto bytes = from_base64(text);
        auto schema = bytes ? core::PayloadSchema::read(*bytes) : std::nullopt;
        if (!schema)
            throw Stop(kError, fmt::format("a schema in the contract of {} is not sound: it is a "
                                           ".bfbs file in base64",
                                           harmless(contract.service)));
        all.push_back(std::move(*schema));
    }
    return all;
}

std::string digest_of(const std::string& text) {
    std::array<unsigned char, crypto_generichash_BYTES> hash{};
    crypto_generichash(hash.data(), hash.size(),
                       reinterpret_cast<const unsigned char*>(text.data()), text.size(), nullptr,
                       0);
    std::string digest;
    for (std::size_t i = 0; i < kVersionBytes; ++i) digest += fmt::format("{:02x}", hash.at(i));
    return digest;
}

/// By type; of one type, in the order of the services' names.
std::vector<Version> versions(const std::vector<flow::Contract>& contracts) {
    std::map<std::string, std::vector<Version>> by_type;
    for (const flow::Contract& contract : contracts) {
        const std::vector<core::PayloadSchema> schemas = schemas_of(contract);
        for (const std::string& type : types_of(contract)) {
            const auto schema =
                std::ranges::find_if(schemas, [&](const auto& each) { return each.knows(type); });
            const auto text_with = [&](flow::Comments comments) {
                return schema == schemas.end() ? std::string()
                                               : flow::schema_text(schema->bytes(), type, comments);
            };
            const std::string text = text_with(flow::Comments::left_out);
            std::vector<Version>& of_type = by_type[type];
            auto same = std::ranges::find(of_type, text, &Version::text);
            if (same == of_type.end())
                same = of_type.insert(same, {.type = type,
                                             .owner = std::string(detail::split_type(type).owner),
                                             .text = text,
                                             .digest = text.empty() ? "-" : digest_of(text),
                                             .commented = {},
                                             .services = {}});
            if (same->commented.empty() || contract.service == same->owner)
                same->commented = text_with(flow::Comments::kept);
            same->services.push_back(contract.service);
        }
    }
    std::vector<Version> all;
    for (auto& [type, of_type] : by_type) std::ranges::move(of_type, std::back_inserter(all));
    return all;
}

void list(const Options& options, const ContractSources& sources) {
    const std::vector<Version> all = versions(contracts(options, sources));
    auto json = ordered_json::array();
    Table table({"TYPE", "OWNER", "VERSION", "KNOWN TO"});
    for (const Version& each : all) {
        json.push_back({{"type", each.type},
                        {"owner", each.owner},
                        {"version", each.text.empty() ? ordered_json() : ordered_json(each.digest)},
                        {"services", each.services}});
        const bool known = !each.text.empty();
        table.row({harmless(each.type), harmless(each.owner),
                   Cell(each.digest, known ? Cell::Style::plain : Cell::Style::red),
                   harmless(fmt::format("{}", fmt::join(each.services, " ")))});
    }
    if (options.json) return out(line(json) + "\n");
    table.print(Paint());
}

// ---- export -------------------------------------------------------------------------------------

void write(const files::path& path, Bytes bytes) {
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    file.close();
    if (!file.good())
        throw Stop(kError, fmt::format("cannot write {}: is there room, and may you write there?",
                                       harmless(path.string())));
}

/// Of a type in several versions that of its owner counts, or else the first.
std::map<std::string, std::string> texts_to_export(const std::vector<Version>& all) {
    std::map<std::string, std::string> texts;
    for (const Version& each : all) {
        if (each.text.empty() || !core::is_type(each.type)) continue;
        const bool owned = std::ranges::count(each.services, each.owner) > 0;
        if (owned || !texts.contains(each.type)) texts[each.type] = each.commented;
    }
    return texts;
}

void export_to(const Options& options, const ContractSources& sources, const std::string& folder) {
    const std::vector<Version> all = versions(contracts(options, sources));
    const auto texts = texts_to_export(all);
    std::error_code failed;
    files::create_directories(folder, failed);
    if (failed)
        throw Stop(kError, fmt::format("cannot make the folder {}: {}", harmless(folder),
                                       failed.message()));
    for (const auto& [type, text] : texts) {
        const files::path path = files::path(folder) / type;
        write(path.string() + ".fbs", std::as_bytes(std::span(text)));
        write(path.string() + ".bfbs", flow::binary_schema(text));
        if (!options.json) out(harmless(path.string()) + ".fbs\n");
    }
    std::set<std::string> unknown;
    for (const Version& each : all)
        if (!texts.contains(each.type)) unknown.insert(each.type);
    if (options.json) {
        std::vector<std::string> types;
        for (const auto& [type, text] : texts) types.push_back(type);
        out(line({{"folder", folder}, {"types", types}, {"unknown", unknown}}) + "\n");
    }
    for (const std::string& type : unknown)
        note(fmt::format("no contract carries the schema of {}", harmless(type)));
    if (texts.empty()) throw Stop(kNotFound, "the contracts carry no schemas: nothing is written");
}

// ---- check --------------------------------------------------------------------------------------

struct Given {
    std::string today = "schemas", released;
};

flow::SchemaFile read(const files::path& path) {
    std::ifstream file(path, std::ios::binary);
    flow::SchemaFile read{{std::istreambuf_iterator<char>(file), {}}, path.string()};
    if (!file) throw Stop(kError, fmt::format("cannot read {}", harmless(path.string())));
    return read;
}

std::vector<flow::Break> compare(const files::path& released, const files::path& today) {
    if (!files::exists(today))
        return {{"is gone", "keep the file: its events stand in streams and outboxes"}};
    try {
        return flow::breaks(read(released), read(today));
    } catch (const Stop&) {
        throw;
    } catch (const Error& failure) {
        throw Stop(kError, fmt::format("{} against {}: {}", harmless(today.string()),
                                       harmless(released.string()), harmless(failure.what())));
    }
}

std::vector<files::path> schemas_in(const files::path& folder) {
    std::error_code failed;
    std::vector<files::path> found;
    for (const auto& entry : files::directory_iterator(folder, failed))
        if (entry.path().extension() == ".fbs") found.push_back(entry.path().filename());
    if (failed || found.empty())
        throw Stop(kNotFound,
                   fmt::format("there is no .fbs file in {}: what was released is a copy of the "
                               "schemas that is kept, as `cp schemas/*.fbs schemas/released/`",
                               harmless(folder.string())));
    std::ranges::sort(found);
    return found;
}

void check(const Options& options, const Given& given) {
    const files::path today = given.today;
    const files::path released =
        given.released.empty() ? today / "released" : files::path(given.released);
    const std::vector<files::path> all = schemas_in(released);
    auto json = ordered_json::array();
    const Paint paint;
    for (const files::path& name : all)
        for (const flow::Break& each : compare(released / name, today / name)) {
            json.push_back({{"file", name.string()}, {"what", each.what}, {"mend", each.mend}});
            if (options.json) continue;
            out(fmt::format("{}  {}\n{}  {}\n\n", paint.red(harmless(name.string())),
                            harmless(each.what), paint.dim("to mend it:"), each.mend));
        }
    const std::size_t breaks = json.size();
    if (options.json)
        out(line({{"holds", breaks == 0}, {"schemas", all.size()}, {"breaks", std::move(json)}}) +
            "\n");
    if (breaks > 0) throw Stop(kError, count_text(breaks, "break"));
    if (!options.json)
        out(fmt::format("it holds: {} can be released\n", count_text(all.size(), "schema")));
}

// ---- the command's words ------------------------------------------------------------------------

void add_listing(Command& schema, Options& options) {
    auto sources = std::make_shared<ContractSources>();
    Command command = schema.command(
        "ls", "Types of events and requests, who owns them, and in which versions they are known");
    add_contract_sources(command, *sources);
    command.footer(
        "A version is a digest of the table and of all that it reaches. A type in two versions "
        "is\nknown in two forms: services of different releases. `-`: nobody carries its schema.");
    command.runs([&options, sources] { list(options, *sources); });
}

void add_export(Command& schema, Options& options) {
    auto sources = std::make_shared<ContractSources>();
    auto folder = std::make_shared<std::string>();
    Command command =
        schema.command("export", "Write each type's schema into a folder, as .fbs and as .bfbs");
    command.argument("folder", *folder, "is made where it is not there").type("DIR").required();
    add_contract_sources(command, *sources);
    command.footer(
        "A file holds one type and what it reaches, and names it as the root: flatc makes code of "
        "it.\nOf a type in several versions its owner's counts.\n"
        "Examples:\n"
        "  saga schema export events                   of the services of this broker\n"
        "  saga schema export events payment.json      of a contract\n"
        "  flatc --python events/shop.payment.PaymentTaken.fbs");
    command.runs([&options, sources, folder] { export_to(options, *sources, *folder); });
}

void add_evolution(Command& schema, Options& options) {
    auto given = std::make_shared<Given>();
    Command command =
        schema.command("check", "Can these schemas take the place of those that were released?");
    command.argument("folder", given->today, "of .fbs files").type("DIR");
    command
        .option("--released", given->released,
                "of the files that other people rely on; without it, released/ in DIR")
        .type("DIR");
    command.footer(
        "Old bytes must be read by new programs, and new bytes by old ones: what `flatc --conform` "
        "sees, and\nwhat it does not: renamed fields, removed ends, what is required, roots, file "
        "identifiers.\nEnds with 1 where something breaks.\n"
        "Examples:\n"
        "  saga schema check\n"
        "  saga schema check schemas --released tests/schemas/released");
    command.runs([&options, given] { check(options, *given); });
}

}  // namespace

void add_schema(Command& tool, Options& options) {
    Command schema =
        tool.command("schema", "Schemas of events, and that of contracts: list, check, export");
    schema.group("Design");
    schema.requires_command();
    add_listing(schema, options);
    add_evolution(schema, options);
    add_export(schema, options);
    schema.command("contract", "Print the JSON Schema of contracts, for whoever writes one by hand")
        .runs([] { out(kContractSchema); });
}

}  // namespace saga::cli
