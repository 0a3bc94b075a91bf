// Why a question has no answer, in a person's words: the same whoever asked.
#pragma once

#include <string>

#include "saga/bus/bus.hpp"

namespace saga::bus {

/// Of a question on `subject` that waited so long; `problem.text` is told where the trouble itself
/// does not say it.
std::string no_answer(const Problem& problem, const std::string& subject,
                      std::chrono::milliseconds timeout);

}  // namespace saga::bus
