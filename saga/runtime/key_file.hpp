// The deployment's secret that ids and seals are made with: a file beside the database and every
// backup of it, never inside.
#pragma once

#include <string>

#include "saga/core/ids.hpp"
#include "saga/store/store.hpp"

namespace saga::runtime {

/// Reads `path`, or makes it (mode 0600, durable) where `may_make`. Throws Error.
core::IdKey load_key(const std::string& path, bool may_make);

/// Notes the key's fingerprint in a new database; throws Error when the database was made with
/// another key: every id would come out differently.
void bind_key(store::Store& store, const core::IdKey& key, const std::string& path);

}  // namespace saga::runtime
