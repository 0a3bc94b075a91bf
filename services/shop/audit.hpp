// Whether the books of all services fit together. Pure: reading them is in books.hpp.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "services/shop/books.hpp"

namespace shop {

struct Audit {
    std::int64_t orders = 0, confirmed = 0, rejected = 0, open = 0;
    std::int64_t confirmed_cents = 0, paid_cents = 0, bank_cents = 0;  ///< the same, three times
    std::int64_t credit_cents = 0, balance_cents = 0;
    std::int64_t delivered = 0, on_shelf = 0, held = 0, shipped = 0;  ///< units
    std::int64_t forgotten = 0;           ///< ends that the stream no longer holds
    std::vector<std::string> violations;  ///< each in one sentence
};

/// Expects books that were read at rest: between two services an order is in nobody's.
Audit audit(const Books& books);

/// Why the services are not at rest, each in one sentence: something is on its way or waits for
/// something. Empty: all have read the stream to the same place, and nothing is left to do.
std::vector<std::string> unrest(const std::vector<ServiceState>& services);
/// Whether waiting helps: what is left to do is not an operator's.
bool moves(const std::vector<ServiceState>& services);

}  // namespace shop
