// Choreographies whose verdict is known: wrong ones, each by one mistake, and some that are right.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace saga::test {

/// The shop with `instead` in place of some of its words, and `more` lines; without words `more` is
/// the whole.
struct Case {
    const char *name, *words, *instead, *more;
    const char* reasons;  ///< "left_standing payment.take; ..." in alphabetical order
};
extern const std::span<const Case> kBroken, kRight;

std::string text_of(const Case& each);
/// The shop with `instead` in place of words that stand in it.
std::string shop_with(std::string_view words, std::string_view instead);

/// Some services with some steps, of which most do not fit together.
std::string random_choreography(std::uint32_t seed);
/// Steps that undo and decide as they should, in some order, with deadlines and cancellations; in
/// every second one a word of it is changed.
std::string plausible_choreography(std::uint32_t seed);

}  // namespace saga::test
