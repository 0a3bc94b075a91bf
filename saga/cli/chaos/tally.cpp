#include "saga/cli/chaos/tally.hpp"

#include <nlohmann/json.hpp>

namespace saga::cli {

double Tally::seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
}

nlohmann::ordered_json Tally::json() const {
    std::size_t hits = 0;
    for (const auto& [name, ways] : failpoints) hits += ways.size();
    return {{"violations", violations},
            {"kills", kills},
            {"faults", faults},
            {"skipped", skipped},
            {"failpoints", failpoints},
            {"failpoints_hit", hits},
            {"failpoints_missed", missed},
            {"sagas", sagas},
            {"requests", requests},
            {"seconds", seconds()},
            {"seed", seed}};
}

}  // namespace saga::cli
