// Prints the contracts of all choreographies that are right, a line each: for tests in other
// languages.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "tests/flow/cases.hpp"
#include "tests/flow/choreography.hpp"

int main() {
    for (const saga::test::Case& each : saga::test::kRight)
        for (const nlohmann::json& contract : saga::test::contracts_of(text_of(each)))
            fmt::print("{}\n", contract.dump());
    return 0;
}
