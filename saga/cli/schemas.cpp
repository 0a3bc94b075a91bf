#include "saga/cli/schemas.hpp"

#include <flatbuffers/idl.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "saga/core/text.hpp"

namespace saga::cli {
namespace {

namespace files = std::filesystem;

constexpr std::uintmax_t kMostBytes = 16 * 1024 * 1024;  // of a schema file; ours have 2,000
constexpr auto kAskAgain = std::chrono::seconds(10);

std::optional<std::string> content(const files::path& path) {
    std::error_code none;
    if (const auto size = files::file_size(path, none); none || size > kMostBytes)
        return std::nullopt;
    std::ifstream file(path, std::ios::binary);
    std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    return file.bad() ? std::nullopt : std::optional(std::move(text));
}

core::PayloadSchema compiled(const files::path& path, const std::string& text) {
    flatbuffers::Parser parser;
    const std::string folder = path.parent_path().string();
    std::vector<const char*> includes{folder.c_str(), nullptr};
    if (!parser.Parse(text.c_str(), includes.data(), path.c_str()))
        throw Stop(kError,
                   fmt::format("cannot read the schema {}: {}", path.string(), parser.error_));
    parser.Serialize();
    const auto* begin = reinterpret_cast<const std::byte*>(parser.builder_.GetBufferPointer());
    auto schema = core::PayloadSchema::read({begin, parser.builder_.GetSize()});
    if (!schema) throw Stop(kError, fmt::format("the schema {} is not sound", path.string()));
    return *schema;
}

/// Written beside and moved, so that nobody reads half of it.
void write(const files::path& path, Bytes bytes) {
    const files::path part = path.string() + fmt::format(".{}", ::getpid());
    std::ofstream file(part, std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    file.close();
    std::error_code none;
    if (file.good()) files::rename(part, path, none);
    if (!file.good() || none) files::remove(part, none);
}

files::path user_folder() {
    const auto variable = [](const char* name) {
        const char* value = std::getenv(name);
        return std::string(value == nullptr ? "" : value);
    };
    if (const std::string xdg = variable("XDG_CACHE_HOME"); !xdg.empty())
        return files::path(xdg) / "saga";
    const std::string home = variable("HOME");
    return home.empty() ? files::path() : files::path(home) / ".cache" / "saga";
}

}  // namespace

void add_file(Schemas& schemas, const files::path& path) {
    std::error_code none;
    if (files::is_directory(path, none)) {
        std::vector<files::path> found;
        for (const auto& entry : files::directory_iterator(path, none))
            if (entry.path().extension() == ".bfbs" || entry.path().extension() == ".fbs")
                found.push_back(entry.path());
        std::sort(found.begin(), found.end());
        if (found.empty())
            throw Stop(kError, fmt::format("there is no .bfbs and no .fbs in {}", path.string()));
        for (const files::path& each : found) add_file(schemas, each);
        return;
    }
    const auto text = content(path);
    if (!text)
        throw Stop(kError,
                   fmt::format("cannot read the schema {}: is there such a file?", path.string()));
    if (path.extension() == ".fbs") return schemas.add(compiled(path, *text));
    const auto schema = core::PayloadSchema::read(std::as_bytes(std::span(*text)));
    if (!schema)
        throw Stop(kError, fmt::format("{} is no binary schema: make one with flatc --binary "
                                       "--schema, or name the .fbs file",
                                       path.string()));
    schemas.add(*schema);
}

SchemaCache::SchemaCache() : folder_(user_folder()) {}

std::optional<core::PayloadSchema> SchemaCache::find(std::string_view type) const {
    if (folder_.empty() || !core::is_type(type)) return std::nullopt;
    const auto text = content(folder_ / (std::string(type) + ".bfbs"));
    if (!text) return std::nullopt;
    auto schema = core::PayloadSchema::read(std::as_bytes(std::span(*text)));
    return schema && schema->knows(type) ? schema : std::nullopt;
}

void SchemaCache::keep(const Landscape& landscape) const {
    if (folder_.empty()) return;
    std::error_code none;
    files::create_directories(folder_, none);
    for (const auto& [name, service] : landscape.services())
        for (const core::PayloadSchema& schema : service.payloads)
            for (const std::string& table : schema.tables()) {
                const files::path path = folder_ / (table + ".bfbs");
                if (!core::is_type(table)) continue;
                const auto stands = content(path);
                const Bytes bytes = schema.bytes();
                const bool same =
                    stands && std::ranges::equal(std::as_bytes(std::span(*stands)), bytes);
                if (!same) write(path, bytes);
            }
}

bool SchemaCache::may_ask() const {
    std::error_code none;
    const auto last = files::last_write_time(folder_ / "asked", none);
    return none || files::file_time_type::clock::now() - last > kAskAgain;
}

void SchemaCache::asked() const {
    if (folder_.empty()) return;
    std::error_code none;
    files::create_directories(folder_, none);
    write(folder_ / "asked", {});
}

}  // namespace saga::cli
