// A landscape that is right, and one thing in it that is not.
#pragma once

#include <doctest/doctest.h>

#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "shop_events.hpp"
#include "tests/verify/village.hpp"

namespace saga::testing {

/// asker, granter, auditor, reader: sagas that held, were denied, were undone.
Village& small_village();
/// order, inventory, payment, shipping and a bank: joins, calls, undos, timers.
Village& shop_village();
/// Asks the bank of shop_village().
shop::BankBooks ask_bank(const shop::AskBooks& asked);

/// Violations as lines, each behind its invariant; none: "".
std::string lines(const std::vector<verify::Violation>& violations);

/// What the checkers say of the village while `sql` has been done to a service's database; it is
/// taken back afterwards.
std::vector<verify::Violation> damaged(Village& village, const std::string& service,
                                       const std::string& sql, const verify::Options& options = {});
/// The same, of a change to what the checkers are handed.
std::vector<verify::Violation> changed(Village& village,
                                       const std::function<void(verify::Landscape&)>& change,
                                       const verify::Options& options = {});

/// A message as another one, under an id of its own.
verify::Stored with_id(const verify::Stored& stored, std::uint64_t seq);

/// The first message whose subject has this part.
verify::Stored& find(verify::Landscape& landscape, std::string_view part);

bool has(const std::vector<verify::Violation>& violations, std::string_view invariant);
/// As has; otherwise the test's log says what is among them.
bool refutes(const std::vector<verify::Violation>& violations, std::string_view invariant);

}  // namespace saga::testing
