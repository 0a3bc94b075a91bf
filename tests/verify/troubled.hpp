// A small village where much has gone wrong, and everything was done about it that can be.
#pragma once

#include "tests/verify/damage.hpp"

namespace saga::testing {

/// Junk and forged messages stand aside; of the saga "dead-1" a step is dead, of "dead-2" an undo's
/// call; "retried-1" and "skipped-1" were dead until an operator had a word.
Village& troubled_village();

}  // namespace saga::testing
