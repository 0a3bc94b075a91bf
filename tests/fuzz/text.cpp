#include "saga/core/text.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "saga/cli/dev_config.hpp"
#include "saga/cli/history.hpp"
#include "saga/cli/landscape.hpp"
#include "saga/cli/words.hpp"
#include "saga/core/json_text.hpp"
#include "services/shop/command.hpp"
#include "services/shop/files.hpp"
#include "shared/csv.hpp"
#include "tests/fuzz/targets.hpp"

namespace saga::fuzz {
namespace {

std::string quoted(const std::vector<csv::Row>& rows) {
    std::string text;
    for (const csv::Row& row : rows) {
        for (std::size_t i = 0; i < row.fields.size(); ++i) {
            text += i == 0 ? "\"" : ",\"";
            for (const char c : row.fields[i]) text += c == '"' ? "\"\"" : std::string(1, c);
            text += '"';
        }
        text += "\r\n";
    }
    return text;
}

/// What a person is told, on a terminal.
void must_be_told(std::string_view why) {
    must(!why.empty(), "a refusal says nothing");
    must(std::none_of(why.begin(), why.end(),
                      [](char c) { return (c >= 0 && c < ' ') || c == '\x7f'; }),
         "a refusal holds a control character");
}

}  // namespace

void csv_text(Bytes input) {
    std::vector<csv::Row> rows;
    try {
        rows = csv::parse(Input(input).text());
    } catch (const csv::Malformed& malformed) {
        must(malformed.line > 0, "a line is counted from 1");
        return must_be_told(malformed.what());
    }
    for (const csv::Row& row : rows)
        for (const std::string& field : row.fields)
            must(core::is_utf8(field) && field.size() <= csv::kMostFieldBytes, "no sound field");
    const std::vector<csv::Row> again = csv::parse(quoted(rows));
    must(again.size() == rows.size(), "written and read, rows are lost");
    for (std::size_t i = 0; i < rows.size(); ++i)
        must(again[i].fields == rows[i].fields, "written and read, a row is another");
}

void import(Bytes input) {
    const std::string_view text = Input(input).text();
    try {
        for (const shop::Product& each : shop::read_products("products.csv", text)) {
            must(!each.sku.empty() && each.sku.size() <= 64, "a product without a name");
            must(each.units >= 0 && each.unit_price_cents >= 0, "a product of less than nothing");
        }
    } catch (const shop::Stop& stop) {
        must_be_told(stop.what());
    }
    try {
        for (const shop::FileOrder& each : shop::read_orders("orders.csv", text)) {
            must(core::is_saga_id(each.order.order_id), "an order whose id is none");
            must(!each.order.lines.empty() && each.at.size() == each.order.lines.size(),
                 "an order without lines");
        }
    } catch (const shop::Stop& stop) {
        must_be_told(stop.what());
    }
}

void config(Bytes input) {
    try {
        const cli::Config config = cli::parse_config(Input(input).text(), "shop.ini");
        for (const cli::Program& each : config.programs) {
            must(cli::is_service(each.name), "a section's name is none");
            must(!each.command.empty(), "a program without a command");
            for (const auto& [name, value] : each.env) must(!name.empty(), "a nameless variable");
        }
    } catch (const cli::Stop& stop) {
        must_be_told(stop.what());
    }
}

void words(Bytes input) {
    const std::string_view text = Input(input).text();
    if (const auto duration = cli::parse_duration(text)) {
        must(duration->count() >= 0, "a duration below nothing");
        (void)cli::brief(*duration);
    }
    try {
        const shop::Line line = shop::read_line(text);
        must(line.quantity > 0 && line.unit_price_cents >= 0 && !line.sku.empty(), "no such line");
    } catch (const shop::Stop& stop) {
        must_be_told(stop.what());
    }
    try {
        cli::require_saga_id(std::string(text));
        must(core::is_saga_id(text), "a saga id that is none");
    } catch (const cli::Stop& stop) {
        must_be_told(stop.what());
    }
    const std::string safe = cli::harmless(text);
    must(core::is_utf8(safe), "a terminal is shown what is no UTF-8");
    must(cli::harmless(safe) == safe, "what is harmless is not left alone");
    must(cli::width(cli::shortened(safe, 10)) <= 10, "what was cut is too wide");
    core::JsonText json(8 * 1024 * 1024);
    json.string(text);
    must(nlohmann::json::accept(json.take()), "a string is no JSON");
    must(!core::is_name(text) || core::is_saga_id(text), "a name that is no token");
}

}  // namespace saga::fuzz
