#include "shared/money.hpp"

#include <fmt/format.h>

namespace money {

std::optional<Cents> sum(Cents a, Cents b) {
    Cents result = 0;
    if (__builtin_add_overflow(a, b, &result)) return std::nullopt;
    return result;
}

std::optional<Cents> product(Cents price, std::int64_t times) {
    Cents result = 0;
    if (__builtin_mul_overflow(price, times, &result)) return std::nullopt;
    return result;
}

std::string text(Cents cents) {
    // The lowest number has no positive twin in 64 signed bits.
    const auto bits = static_cast<std::uint64_t>(cents);
    const std::uint64_t size = cents < 0 ? 0 - bits : bits;
    std::string units = std::to_string(size / 100);
    for (std::size_t left = units.size(); left > 3; left -= 3) units.insert(left - 3, ",");
    return fmt::format("{}{}.{:02}", cents < 0 ? "-" : "", units, size % 100);
}

}  // namespace money
