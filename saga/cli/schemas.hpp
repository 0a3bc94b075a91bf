// Schemas from files, and a cache of what services published.
#pragma once

#include <filesystem>
#include <optional>
#include <string_view>

#include "saga/cli/landscape.hpp"
#include "saga/view/schemas.hpp"

namespace saga::cli {

/// A .bfbs file, a .fbs file with what it includes, or a folder of them. Throws Stop.
void add_file(Schemas& schemas, const std::filesystem::path& path);

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
