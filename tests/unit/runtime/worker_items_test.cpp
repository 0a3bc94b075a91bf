// What one item of a round leads to.
#include <doctest/doctest.h>

#include "tests/unit/runtime/workshop.hpp"

using namespace saga;
using namespace saga::test;
