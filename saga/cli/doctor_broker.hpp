// The part of saga doctor's findings that is about the broker, its streams and their readers.
#pragma once

#include "saga/cli/doctor.hpp"

namespace saga::cli {

void add_broker_findings(const Examination& seen, std::vector<Finding>& found);

}  // namespace saga::cli
