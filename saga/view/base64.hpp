// Bytes in JSON.
#pragma once

#include <optional>
#include <saga/event.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace saga::view {

std::string to_base64(Bytes bytes);
/// Empty when it is none.
std::optional<std::vector<std::byte>> from_base64(std::string_view text);

}  // namespace saga::view
