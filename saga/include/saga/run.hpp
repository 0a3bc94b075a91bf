// A service's main().
#pragma once

#include <saga/service.hpp>

namespace saga {

/// Runs the service until SIGTERM or SIGINT, then drains: the whole of a service's main(). `--help`
/// lists the flags, `--contract` prints the contract as JSON. Returns the exit code, having said in
/// one sentence on stderr what stopped it.
int run(int argc, char** argv, const Service& service);

}  // namespace saga
