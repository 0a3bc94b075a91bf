// A service of the simulation alone, beside the shop: the points that a customer's orders earn.
//
//   earn    PaymentTaken   -> PointsEarned       locks the customer and reads the balance
//   forget  PointsEarned   -> PointsForgotten    when the order fails
//   book    OrderConfirmed -> (its row)          writes what was read, and the order's points
//
// It computes with what another transaction read: it is right as long as its lock holds.
#pragma once

#include <saga/service.hpp>
#include <string>
#include <vector>

#include "saga/store/store.hpp"
#include "services/shop/books.hpp"

namespace saga::sim {

Service points_service();

/// What its books say that the shop's do not, each in one sentence.
std::vector<std::string> wrong_points(store::Store& points, const shop::Books& books);

}  // namespace saga::sim
