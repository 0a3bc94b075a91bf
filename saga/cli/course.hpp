// How the tool ends when it has told a saga's course.
#pragma once

#include "saga/cli/command.hpp"
#include "saga/view/course.hpp"

namespace saga::cli {

/// The exit code that says it: 0, 5 undone or on the way there, 6.
Exit exit_of(Course course);

}  // namespace saga::cli
