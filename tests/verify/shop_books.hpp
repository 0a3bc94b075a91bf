// I3 of the shop: money and stock add up, and nothing is negative.
#pragma once

#include <functional>
#include <vector>

#include "saga/verify/verify.hpp"
#include "services/shop/books.hpp"

namespace saga::testing {

/// Asks the bank for a page of its books: its ledger, or its process.
using AskBank = std::function<shop::BankBooks(const shop::AskBooks&)>;

/// What `shop audit` reads over the wire, from the databases and the stream themselves.
shop::Books shop_books(const verify::Landscape& landscape, const AskBank& ask);

/// At rest all books are compared, order by order; under way only what one service says in itself:
/// between two services an order is in nobody's books.
std::vector<verify::Violation> check_books(const verify::Landscape& landscape, const AskBank& ask,
                                           const verify::Options& options);

}  // namespace saga::testing
