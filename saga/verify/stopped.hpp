// The databases of services that are down, opened so that nothing in them changes.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "saga/store/database.hpp"
#include "saga/verify/verify.hpp"

namespace saga::verify {

/// Keeps its service from starting for as long as it lives. One thread.
class StoppedDatabase {
  public:
    /// Throws Error, in one sentence, when the service runs, or the file is no database of one.
    explicit StoppedDatabase(const std::filesystem::path& file);

    const std::string& service() const { return service_; }  ///< the file's name
    /// Valid as long as this object is.
    ServiceView view(nlohmann::json contract) const;

  private:
    struct Close {
        void operator()(sqlite3* db) const { sqlite3_close(db); }
    };
    std::string service_;
    std::unique_ptr<store::FileLock> lock_;  // last to go
    std::unique_ptr<sqlite3, Close> db_;
};

/// The databases of services in a folder, in the order of their names: each has its key, or its
/// lock, beside it.
std::vector<std::filesystem::path> databases_in(const std::filesystem::path& folder);

}  // namespace saga::verify
