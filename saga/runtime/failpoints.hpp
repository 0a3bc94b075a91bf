// Arms the named places of store and runtime, in a build with the option `failpoints`.
#pragma once

#ifdef SAGA_FAILPOINTS

#include <chrono>
#include <string>

namespace saga::runtime {

/// Reads SAGA_FAILPOINT=name:n:way. The n-th time that the place is passed the process says so on
/// stderr, and dies of SIGKILL ("kill"), stops until SIGCONT ("pause"), or takes it for an I/O
/// error ("eio"). Throws Error at a name that it does not know.
void arm_failpoints();
/// The names, one a line.
std::string failpoint_names();
/// What SAGA_DEADLINE_MS makes of a deadline: as long as it says, where that is shorter.
std::chrono::milliseconds shortened_deadline(std::chrono::milliseconds deadline);

}  // namespace saga::runtime

#endif
