// The tool of operators and integrators: looks at sagas from outside, over NATS.
#include "saga/cli/command.hpp"

int main(int argc, char** argv) {
    return saga::cli::run(argc, argv);
}
