// Schemas of payloads, wherever they come from: files, what services published, a cache of that.
#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "saga/cli/landscape.hpp"
#include "saga/core/payload_json.hpp"

namespace saga::cli {

class Schemas {
  public:
    /// The first that knows a table counts.
    void add(const core::PayloadSchema& schema);
    /// A .bfbs file, a .fbs file with what it includes, or a folder of them. Throws Stop.
    void add_file(const std::filesystem::path& path);
    void add(const Landscape& landscape);

    const core::PayloadSchema* find(std::string_view type) const;

    /// The payload as JSON; {"error": why} when it cannot be shown.
    nlohmann::ordered_json payload(std::string_view type, Bytes payload) const;

  private:
    std::map<std::string, core::PayloadSchema, std::less<>> by_table_;
};

/// What services published, kept for a tool that is started anew for each message: one small file
/// for each table, in $XDG_CACHE_HOME/saga or ~/.cache/saga.
class SchemaCache {
  public:
    SchemaCache();  ///< In the user's folder.
    explicit SchemaCache(std::filesystem::path folder) : folder_(std::move(folder)) {}

    std::optional<core::PayloadSchema> find(std::string_view type) const;
    /// Keeps what is new. A cache that cannot be written is no trouble.
    void keep(const Landscape& landscape) const;

    /// Whether it is worth asking the broker: not again a moment after it had nothing new to say.
    bool may_ask() const;
    void asked() const;

  private:
    std::filesystem::path folder_;
};

}  // namespace saga::cli
