// What a trial has done, and what it has found.
#pragma once

#include <chrono>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>
#include <vector>

namespace saga::cli {

struct Tally {
    std::uint64_t seed = 0;
    std::size_t kills = 0;  ///< processes of the landscape that were ended with SIGKILL
    std::map<std::string, std::size_t> faults;   ///< how often each kind has struck
    std::map<std::string, std::string> skipped;  ///< kinds that are not possible here, and why
    std::map<std::string, std::set<std::string>> failpoints;  ///< hit: name, and how
    std::set<std::string> missed;                             ///< failpoints that nothing reached
    std::map<std::string, std::size_t> sagas;                 ///< by their end
    std::map<std::string, std::size_t> requests;              ///< of clients, by answer
    std::set<std::string> restored;  ///< services that got an older database
    std::vector<std::string> violations;
    std::chrono::steady_clock::time_point begun = std::chrono::steady_clock::now();

    double seconds() const;
    nlohmann::ordered_json json() const;
};

}  // namespace saga::cli
