// What contracts show by themselves to be wrong, without any course of events.
#pragma once

#include "saga/flow/check.hpp"
#include "saga/flow/model.hpp"

namespace saga::flow {

/// `models` are models_of(contracts).
std::vector<Finding> shape_findings(std::span<const Contract> contracts,
                                    std::span<const Model> models);

}  // namespace saga::flow
