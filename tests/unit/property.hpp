// Properties of rapidcheck as checks of doctest: CHECK(counterexample([](int i) {...}) == "").
#pragma once

#include <rapidcheck.h>
#include <rapidcheck/detail/TestListenerAdapter.h>

#include <cstdlib>
#include <sstream>
#include <string>
#include <unordered_map>

namespace saga::test {

/// Empty, or the smallest example for which the property does not hold, and how to see it again.
/// Examples come from one seed, so that a run repeats itself; RC_PARAMS in the environment says
/// another one, or how many: RC_PARAMS="seed=7 max_success=10000".
template <class Testable>
std::string counterexample(Testable&& testable) {
    const rc::detail::TestMetadata metadata;
    const rc::detail::Property property = rc::detail::toProperty(std::forward<Testable>(testable));
    rc::detail::TestParams params;
    params.seed = 20260131;
    rc::detail::TestListenerAdapter quiet;
    const std::unordered_map<std::string, rc::detail::Reproduce> nothing;
    const rc::detail::TestResult result =
        std::getenv("RC_PARAMS") == nullptr
            ? rc::detail::checkProperty(property, metadata, params, quiet, nothing)
            : rc::detail::checkProperty(property, metadata);
    if (result.template is<rc::detail::SuccessResult>()) return {};
    std::ostringstream why;
    rc::detail::printResultMessage(result, why);
    return why.str();
}

}  // namespace saga::test
