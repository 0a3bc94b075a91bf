#include "saga/cli/stopped.hpp"

#include <fmt/ranges.h>

#include <filesystem>
#include <set>

#include "saga/cli/command.hpp"
#include "saga/cli/words.hpp"
#include "saga/core/shard.hpp"

namespace saga::cli {
namespace {

namespace fs = std::filesystem;

/// What acts for the same service and has a database here.
std::set<std::string> others_in(const std::string& folder, const std::string& instance) {
    const std::string service = core::parse_instance(instance).service;
    std::set<std::string> found;
    std::error_code none;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder, none)) {
        const std::string name = entry.path().stem();
        if (entry.path().extension() == ".db" && core::parse_instance(name).service == service)
            found.insert(name);
    }
    return found;
}

}  // namespace

std::string database_in(const std::string& folder, const std::string& instance) {
    std::string path = fmt::format("{}/{}.db", folder, instance);
    if (fs::exists(path)) return path;
    const std::set<std::string> others = others_in(folder, instance);
    throw Stop(kNotFound,
               harmless(fmt::format("there is no {}{}{}", path, others.empty() ? "" : ": name ",
                                    fmt::join(others, ", "))));
}

}  // namespace saga::cli
