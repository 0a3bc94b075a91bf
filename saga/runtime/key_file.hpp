// The deployment's secret that ids and seals are made with: a file beside the database and every
// backup of it, never inside.
#pragma once

#include <string>

#include "saga/core/ids.hpp"
#include "saga/core/shard.hpp"
#include "saga/store/store.hpp"

namespace saga::runtime {

/// Of a service, or a shard of one, in its folder: the shards of a service have one key.
std::string key_path(const std::string& folder, std::string_view instance);

/// Reads `path`, or makes it (mode 0600, durable) where `may_make`. Throws Error.
core::IdKey load_key(const std::string& path, bool may_make);

/// Notes the key's fingerprint in a new database; throws Error when the database was made with
/// another key: every id would come out differently.
void bind_key(store::Store& store, const core::IdKey& key, const std::string& path);

}  // namespace saga::runtime
