// NKeys: the public half of a seed, which nats.c wants told.
#pragma once

#include <string>
#include <string_view>

namespace saga::bus {

/// Of a file that holds a user's seed ("SU..."), or its public key already, as `nsc` and `nk` write
/// them. Throws saga::Error.
std::string public_nkey(const std::string& file);

/// Whether it is the public key of a user: "U...", with the right checksum.
bool is_user_nkey(std::string_view key);

}  // namespace saga::bus
