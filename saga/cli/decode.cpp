// saga decode: a message's bytes on stdin, one line of JSON on stdout. natscli starts it anew for
// every message and shows whatever it says, so it is quick, and never fails.
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "saga/cli/command.hpp"
#include "saga/cli/command_line.hpp"
#include "saga/cli/landscape.hpp"
#include "saga/cli/output.hpp"
#include "saga/cli/schemas.hpp"
#include "saga/core/limits.hpp"
#include "saga/view/message_json.hpp"

namespace saga::cli {
namespace {

constexpr auto kPatience = std::chrono::milliseconds(300);  // for a broker, once in a while

struct Given {
    std::vector<std::string> schemas;
};

/// One byte more than a message may have is enough to know that it has too many.
std::vector<std::byte> standard_input() {
    std::vector<std::byte> bytes;
    std::array<std::byte, 64 * 1024> part{};
    while (bytes.size() <= core::kMaxMessage) {
        const ssize_t size = ::read(STDIN_FILENO, part.data(), part.size());
        if (size < 0 && errno == EINTR) continue;
        if (size <= 0) break;
        bytes.insert(bytes.end(), part.begin(), part.begin() + size);
    }
    return bytes;
}

std::vector<std::string> paths_of(const char* variable) {
    std::vector<std::string> paths;
    const char* value = std::getenv(variable);
    std::string_view rest = value == nullptr ? "" : value;
    while (!rest.empty()) {
        const auto colon = rest.find(':');
        if (colon != 0) paths.emplace_back(rest.substr(0, colon));
        rest = colon == std::string_view::npos ? std::string_view{} : rest.substr(colon + 1);
    }
    return paths;
}

/// The type whose schema is needed: of a dead letter, the one of the message that it is about.
std::vector<std::string> types_in(const nlohmann::ordered_json& message) {
    std::vector<std::string> types;
    const nlohmann::ordered_json* at = &message;
    while (at->is_object() && at->contains("type")) {
        types.push_back((*at)["type"]);
        const auto payload = at->find("payload");
        if (payload == at->end() || !payload->is_object() || !payload->contains("message")) break;
        at = &(*payload)["message"];
    }
    return types;
}

/// From the cache; else from the broker, and then into the cache.
void look_up(const Options& options, const std::vector<std::string>& types, Schemas& schemas) {
    const SchemaCache cache;
    bool missing = false;
    for (const std::string& type : types) {
        if (type.starts_with("saga.wire.") || schemas.find(type) != nullptr) continue;
        if (const auto schema = cache.find(type))
            schemas.add(*schema);
        else
            missing = true;
    }
    if (!missing || !cache.may_ask()) return;
    cache.asked();
    Options hasty = options;
    hasty.timeout = kPatience;
    try {
        const auto client = hasty.connect();
        const Landscape found = landscape(*client, kPatience);
        cache.keep(found);
        schemas.add(found);
    } catch (const std::exception&) {
        // Without a broker the envelope is shown, and why its payload is not.
    }
}

void decode(const Options& options, const Given& given) {
    Schemas schemas;
    std::string trouble;
    std::vector<std::string> paths = given.schemas;
    for (std::string& path : paths_of("SAGA_SCHEMAS")) paths.push_back(std::move(path));
    for (const std::string& path : paths) {
        try {
            add_file(schemas, path);
        } catch (const Stop& stop) {
            trouble = stop.what();
        }
    }
    const std::vector<std::byte> body = standard_input();
    nlohmann::ordered_json json = message_json(body, schemas);
    const std::vector<std::string> types = types_in(json);
    look_up(options, types, schemas);
    if (!types.empty()) json = message_json(body, schemas);
    if (!trouble.empty()) json["schema_trouble"] = trouble;
    out_now(line(json) + "\n");
}

}  // namespace

void add_decode(Command& tool, Options& options) {
    auto given = std::make_shared<Given>();
    Command command = tool.command("decode", "Show a message's bytes as JSON");
    command.group("Look");
    command.footer(
        "Examples:\n"
        "  nats stream get SAGA 17 --translate 'saga decode'\n"
        "  nats sub 'saga.*.failed.>' --translate 'saga decode'\n"
        "  saga decode --schema schemas/order.fbs < message.bin\n\n"
        "Reads stdin, prints one line, and exits with 0 whatever it read: what is no event is "
        "shown\n"
        "as {\"error\": …}. Schemas come from --schema, from SAGA_SCHEMAS (paths with colons), "
        "from\n"
        "a cache of what the services published, and else from the broker.");
    command.option("--schema", given->schemas, "a .bfbs or .fbs file, or a folder of them")
        .type("PATH");
    command.runs([&options, given] { decode(options, *given); });
}

}  // namespace saga::cli
