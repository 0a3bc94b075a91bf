// The shop's files: products and orders as CSV. A file is good as a whole, or refused as a whole.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "shared/money.hpp"
#include "shop_events.hpp"

namespace shop {

/// The whole file. Throws Stop(kUsage) when it cannot be read, or has more than 256 MiB.
std::string read_file(const std::string& path);

struct Product {
    std::string sku, name;
    money::Cents unit_price_cents = 0;
    int units = 0;         ///< in stock
    std::size_t line = 0;  ///< of the file
};
/// From `sku,name,unit_price_cents,units_in_stock`. Throws Stop(kUsage), which names file and line.
std::vector<Product> read_products(const std::string& path, std::string_view text);

struct FileOrder {
    PlaceOrder order;
    std::vector<std::size_t> at;  ///< of the file, one for each of the order's lines
};
/// From `order_id,customer_id,sku,quantity,unit_price_cents`; the lines of an order stand together.
/// Throws Stop(kUsage), which names file and line.
std::vector<FileOrder> read_orders(const std::string& path, std::string_view text);

/// "tea:2:300" (sku, quantity, cents for one). Throws Stop(kUsage).
Line read_line(std::string_view text);

/// Throws Stop(kUsage) unless it is 1 to 64 of A-Z a-z 0-9 _ -
void check_order_id(std::string_view id);

}  // namespace shop
