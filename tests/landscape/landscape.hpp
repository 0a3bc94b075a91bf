// A small landscape for tests of the engine: somebody asks, somebody grants, somebody checks.
//
//   asker    ask      Ask       -> Asked                 a command: the first fact of the saga
//            close    Checked   -> Closed                the end of a saga that held
//            give_up  a failure -> GaveUp                the end of one that did not
//   granter  grant    Asked     -> Granted | Denied      denied above 100 in all
//            revoke   Granted   -> Revoked               when the saga fails
//            chase    Granted   -> Overdue               if no Checked comes in time
//   auditor  check    Granted   -> Checked | Rejected    the pivot; 13 is rejected; may be a call
//            withdraw Checked  -> Withdrawn             of undoing_auditor(): a call, too
//   reader   counts every event
#pragma once

#include <chrono>
#include <saga/saga.hpp>

#include "test_events.hpp"

namespace saga::testing {

Service asker();
Service granter(std::chrono::milliseconds patience = std::chrono::hours(1));
Service auditor();
Service calling_auditor();  ///< asks on "test.check" first
/// As calling_auditor(), without a pivot: undone by asking on "test.withdraw".
Service undoing_auditor();
Service reader();

}  // namespace saga::testing
