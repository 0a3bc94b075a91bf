// A service of the simulation alone, beside the shop: one whose handlers fail, and wait.
//
//   expect  StockReserved  -> (its row)   waits for the payment, which comes next in its saga
//   note    PaymentTaken   -> (its row)   fails at first; in some sagas until it is given up
//   close   OrderConfirmed -> (its row)   comes behind what failed
#pragma once

#include <saga/service.hpp>
#include <string>
#include <vector>

#include "saga/store/store.hpp"
#include "services/shop/books.hpp"

namespace saga::sim {

/// What a step says that fails.
inline constexpr auto kOutOfSorts = "out of sorts";

/// Each service counts its failures itself, as a process does.
Service moody_service();

/// What its books say that the shop's do not, each in one sentence.
std::vector<std::string> wrong_moods(store::Store& moody, const shop::Books& books);

}  // namespace saga::sim
