// The engine's tables, and the business tables of the service's author.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "saga/store/database.hpp"

namespace saga::store {

/// Brings the file to this build's tables, each migration in a transaction of its own. Throws Error
/// when the file is newer than this build.
void migrate(Database& db);

/// Runs the author's scripts that have not run here yet, each once, in order. Throws Error when one
/// that has run was edited since.
void run_scripts(Database& db, std::span<const std::string> scripts);

/// Whether the engine owns the table: handlers may read it, and not more.
bool is_engine_table(std::string_view table);

}  // namespace saga::store
