// What an observer and who asks it have to agree on.
#pragma once

#include <string_view>

namespace saga::view {

/// The name under which an observer answers: `saga-ctl.observer.trace`.
inline constexpr std::string_view kObserver = "observer";

}  // namespace saga::view
