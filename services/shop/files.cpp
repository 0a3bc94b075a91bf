#include "services/shop/files.hpp"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <optional>
#include <set>

#include "services/shop/command.hpp"
#include "shared/csv.hpp"

namespace shop {
namespace {

constexpr std::uintmax_t kMostBytes = 256 * 1024 * 1024;
constexpr std::size_t kMostIdBytes = 64;   // order's and inventory's limit too
constexpr std::size_t kMostLines = 1'000;  // of an order: a request holds at most 1,024 tables
constexpr int kMostQuantity = 1'000'000;   // of a line: order's limit too
constexpr std::int64_t kMostUnitCents = 1'000'000'000;
constexpr auto kOrderId = "an order's id is 1 to 64 of A-Z a-z 0-9 _ -";

constexpr std::array<std::string_view, 4> kProductColumns{"sku", "name", "unit_price_cents",
                                                          "units_in_stock"};
constexpr std::array<std::string_view, 5> kOrderColumns{"order_id", "customer_id", "sku",
                                                        "quantity", "unit_price_cents"};

bool is_order_id(std::string_view id) {
    constexpr std::string_view kLetters =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    return !id.empty() && id.size() <= 64 && id.find_first_not_of(kLetters) == id.npos;
}

std::optional<std::int64_t> whole(std::string_view text, std::int64_t least, std::int64_t most) {
    std::int64_t value = 0;
    const char* end = text.data() + text.size();
    const auto [read, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc{} || read != end || value < least || value > most) return std::nullopt;
    return value;
}

/// Without what a terminal would obey: the text may be somebody else's.
std::string shown(std::string_view text) {
    std::string safe;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        const bool c1 = byte >= 0x80 && byte < 0xA0 && safe.ends_with('\xC2');
        if (c1) safe.pop_back();
        safe += byte < 0x20 || byte == 0x7F || c1 ? '?' : c;
    }
    return safe;
}

/// Where something is wrong, as an error.
struct Place {
    const std::string& path;
    std::size_t line;

    [[noreturn]] void wrong(const std::string& why) const {
        throw Stop(kUsage, fmt::format("{}, line {}: {}", path, line, shown(why)));
    }
    std::int64_t number(std::string_view column, std::string_view text, std::int64_t least,
                        std::int64_t most) const {
        const auto value = whole(text, least, most);
        if (!value)
            wrong(fmt::format("{} is \"{}\", and has to be a whole number from {} to {}", column,
                              text, least, most));
        return *value;
    }
    void id(std::string_view column, std::string_view text) const {
        if (text.empty() || text.size() > kMostIdBytes)
            wrong(fmt::format("{} is \"{}\", and has to have 1 to {} characters", column, text,
                              kMostIdBytes));
    }
};

std::vector<csv::Row> rows_of(const std::string& path, std::string_view text,
                              std::span<const std::string_view> columns) {
    try {
        return csv::read(text, columns);
    } catch (const csv::Malformed& malformed) {
        Place{path, malformed.line}.wrong(malformed.what());
    }
}

}  // namespace

std::string read_file(const std::string& path) {
    std::error_code none;
    if (std::filesystem::is_directory(path, none))
        throw Stop(kUsage, fmt::format("{} is a folder: name a file", path));
    if (const auto bytes = std::filesystem::file_size(path, none); !none && bytes > kMostBytes)
        throw Stop(kUsage, fmt::format("{} has more than 256 MiB: split it", path));
    std::ifstream file(path, std::ios::binary);
    if (!file) throw Stop(kUsage, fmt::format("cannot read {}: {}", path, std::strerror(errno)));
    return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<Product> read_products(const std::string& path, std::string_view text) {
    std::vector<Product> products;
    std::set<std::string> known;
    for (csv::Row& row : rows_of(path, text, kProductColumns)) {
        const Place place{path, row.line};
        place.id("sku", row.fields[0]);
        if (!known.insert(row.fields[0]).second)
            place.wrong(fmt::format("{} stands here a second time", row.fields[0]));
        Product product{.sku = row.fields[0], .name = row.fields[1], .line = row.line};
        product.unit_price_cents =
            place.number(kProductColumns[2], row.fields[2], 0, kMostUnitCents);
        product.units = static_cast<int>(place.number(kProductColumns[3], row.fields[3], 0,
                                                      std::numeric_limits<std::int32_t>::max()));
        products.push_back(std::move(product));
    }
    return products;
}

std::vector<FileOrder> read_orders(const std::string& path, std::string_view text) {
    std::vector<FileOrder> orders;
    std::set<std::string> known;
    for (csv::Row& row : rows_of(path, text, kOrderColumns)) {
        const Place place{path, row.line};
        const std::string &id = row.fields[0], &customer = row.fields[1];
        if (!is_order_id(id)) place.wrong(fmt::format("\"{}\": {}", id, kOrderId));
        place.id("customer_id", customer);
        place.id("sku", row.fields[2]);
        Line line{.sku = row.fields[2]};
        line.quantity = static_cast<int>(place.number("quantity", row.fields[3], 1, kMostQuantity));
        line.unit_price_cents = place.number("unit_price_cents", row.fields[4], 0, kMostUnitCents);
        if (orders.empty() || orders.back().order.order_id != id) {
            if (!known.insert(id).second)
                place.wrong(fmt::format("the lines of order {} do not stand together", id));
            orders.push_back({.order = {.order_id = id, .customer_id = customer}, .at = {}});
        }
        FileOrder& last = orders.back();
        if (last.order.customer_id != customer)
            place.wrong(fmt::format("order {} is of {}, and of {} in the line before", id, customer,
                                    last.order.customer_id));
        if (last.at.size() == kMostLines)
            place.wrong(fmt::format("order {} has more than {} lines", id, kMostLines));
        last.order.lines.push_back(std::move(line));
        last.at.push_back(row.line);
    }
    return orders;
}

Line read_line(std::string_view text) {
    const auto last = text.rfind(':');
    const auto first = last == text.npos || last == 0 ? text.npos : text.rfind(':', last - 1);
    std::optional<std::int64_t> quantity, cents;
    if (first != text.npos && first > 0) {
        quantity = whole(text.substr(first + 1, last - first - 1), 1, kMostQuantity);
        cents = whole(text.substr(last + 1), 0, kMostUnitCents);
    }
    if (!quantity || !cents)
        throw Stop(kUsage,
                   fmt::format("\"{}\" is no line: write SKU:QUANTITY:CENTS, such as tea:2:300, "
                               "with a quantity from 1 to {} and at most {} cents for one",
                               shown(text), kMostQuantity, kMostUnitCents));
    return {.sku = std::string(text.substr(0, first)),
            .quantity = static_cast<int>(*quantity),
            .unit_price_cents = *cents};
}

void check_order_id(std::string_view id) {
    if (!is_order_id(id)) throw Stop(kUsage, fmt::format("\"{}\": {}", id, kOrderId));
}

}  // namespace shop
