// A service as a program of its own, for tests of what its user sees.
#include <saga/run.hpp>

#include "tests/landscape/landscape.hpp"

int main(int argc, char** argv) {
    return saga::run(argc, argv, saga::testing::asker());
}
