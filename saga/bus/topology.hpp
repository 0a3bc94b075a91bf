// The streams and buckets that services rely on: what `saga bootstrap` makes, what `saga doctor`
// and every service look at.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace saga::bus {

struct Asset {
    std::string stream;  ///< its name; a bucket's begins with KV_
    std::string config;  ///< JSON for $JS.API.STREAM.CREATE: only the fields that we need, since
                         ///< servers before 2.12 drop unknown ones in silence and later refuse them
    std::string help;    ///< what it is for, in one line
};

/// SAGA, SAGA_DLQ and the three buckets. `max_bytes` of the stream SAGA; 0: no limit but the disk.
std::vector<Asset> assets(int replicas, std::int64_t max_bytes);

/// What is wrong with an echoed configuration of the stream SAGA, each in one sentence.
std::vector<std::string> stream_faults(std::string_view config);

/// As stream_faults, of any asset against what bootstrap would make.
std::vector<std::string> asset_faults(const Asset& asset, std::string_view config);

}  // namespace saga::bus
