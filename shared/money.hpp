// Money is whole cents in 64 bits; what does not fit is no amount.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace money {

using Cents = std::int64_t;

/// Empty when the result does not fit.
std::optional<Cents> sum(Cents a, Cents b);
std::optional<Cents> product(Cents price, std::int64_t times);

/// "-1,234,567.08"
std::string text(Cents cents);

}  // namespace money
