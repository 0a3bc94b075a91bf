// After the faults: everything comes to rest, and then it is looked whether all is well.
#pragma once

#include "saga/cli/chaos/stage.hpp"
#include "saga/cli/chaos/tally.hpp"
#include "saga/cli/chaos/told.hpp"
#include "saga/verify/verify.hpp"

namespace saga::cli {

/// Waits until no service has anything to do; what is still at work after `bound` is a violation.
void await_rest(Stage& stage, Tally& tally, Duration bound);
/// The check of [chaos]: its last line is the reason when it does not end with 0.
void ask_check(Stage& stage, Tally& tally);
/// Stops every program and looks into what they have left: how each saga ended, whether what
/// clients were told is so, and every invariant of the engine.
void look_into_databases(Stage& stage, Tally& tally, const Told& told);

}  // namespace saga::cli
