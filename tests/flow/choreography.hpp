// Choreographies in a few words, for tests: each line is a step, a command or a reaction of a
// service.
//
//   order: command place -> Requested [ends | undoes]
//   payment: take on Reserved & Checked -> Taken + Receipt | !Declined calls each
//            undo ~Refunded undo_on Declined pivot keeps ends expects Shipped asks Overdue
//   order: reads Taken
//
// "!" is a failure, "~" an event of a saga that is undone. "*failed" is any failure. An event
// belongs to whoever publishes it, or to nobody. "undoes": an operator's undo asks this command.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string_view>
#include <vector>

#include "saga/flow/contract.hpp"

namespace saga::test {

std::vector<flow::Contract> choreography(std::string_view text);
/// The same as it would be written into files.
std::vector<nlohmann::json> contracts_of(std::string_view text);

/// The shop of services/, as its programs declare it.
extern const std::string_view kShop;

}  // namespace saga::test
