// The streams and buckets that services rely on, as this tool makes them.
#pragma once

#include <string>
#include <vector>

#include "saga/cli/command.hpp"

namespace saga::cli {

struct Made {
    std::string name, help;
    std::string result;               ///< "made", "there already", "mended", "has other settings"
    std::vector<std::string> faults;  ///< settings that lose events, where it has such
};

/// Makes what is missing. `mend`: gives what exists with other settings ours. Throws Stop.
std::vector<Made> make_assets(bus::NatsClient& client, std::chrono::milliseconds timeout,
                              int replicas = 1, std::int64_t max_bytes = 0, bool mend = false);

}  // namespace saga::cli
