// NKeys: the public half of a seed, which nats.c wants told.
#pragma once

#include <string>

namespace saga::bus {

/// Of a file that holds a seed ("SU..."), as `nsc` and `nk` write it. Throws saga::Error.
std::string public_nkey(const std::string& seed_file);

}  // namespace saga::bus
