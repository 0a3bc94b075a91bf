#include "saga/verify/stopped.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <saga/error.hpp>

#include "saga/core/shard.hpp"
#include "saga/store/statement.hpp"

namespace saga::verify {

namespace fs = std::filesystem;

StoppedDatabase::StoppedDatabase(const fs::path& file)
    : service_(file.stem().string()), lock_(std::make_unique<store::FileLock>(file.string())) {
    sqlite3* db = nullptr;
    const int code = sqlite3_open_v2(file.c_str(), &db, SQLITE_OPEN_READONLY, nullptr);
    db_.reset(db);
    if (code != SQLITE_OK) store::raise(db, code, "cannot open " + file.string());
    store::Statement id(db, "PRAGMA application_id");
    if (store::number(id) != store::kApplicationId)
        throw Error(file.string() + " is no database of a service");
}

ServiceView StoppedDatabase::view(nlohmann::json contract) const {
    return {service_, db_.get(), std::move(contract)};
}

std::vector<fs::path> databases_in(const fs::path& folder) {
    std::error_code none;
    if (!fs::is_directory(folder, none))
        throw Error(fmt::format("{} is no folder: name the folder of --data", folder.string()));
    std::vector<fs::path> found;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
        const fs::path& file = entry.path();
        if (file.extension() != ".db") continue;
        const std::string name = file.stem().string();
        // Shards at work share the key of their service; a backup of one has it under its own name.
        const bool has_key = fs::exists(folder / (core::parse_instance(name).service + ".key")) ||
                             fs::exists(folder / (name + ".key"));
        if (has_key || fs::exists(file.string() + ".lock")) found.push_back(file);
    }
    std::sort(found.begin(), found.end());
    return found;
}

}  // namespace saga::verify
