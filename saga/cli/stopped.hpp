// Files of services that are stopped.
#pragma once

#include <string>

namespace saga::cli {

/// The database of a service, or of a shard of one, in its folder. Throws Stop(kNotFound), with the
/// names of those that the folder has of the service, when it is not there.
std::string database_in(const std::string& folder, const std::string& instance);

}  // namespace saga::cli
