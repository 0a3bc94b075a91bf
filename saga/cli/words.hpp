// How the tool says times and sizes, and how it lays out columns.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "saga/cli/command.hpp"

namespace saga::cli {

/// "500ms", "5s", "2m", "1h30m", "7d"; a bare number is seconds. Empty when it is none of these,
/// or more than 100 years.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);

/// "850 us", "12 ms", "1.24 s", "3 min 20 s", "2 h 5 min", "3 d 4 h".
std::string brief(std::chrono::nanoseconds duration);
/// "512 B", "3.1 MB".
std::string size_text(std::uint64_t bytes);
/// "1 event", "7 events".
std::string count_text(std::uint64_t count, std::string_view word);
/// Local time: "14:03:07.123", with the day before it when it is not today's.
std::string clock_text(std::chrono::system_clock::time_point time);

/// Without what a terminal would obey: control characters and what is no UTF-8 become '?'.
std::string harmless(std::string_view text);
/// Characters, where every one takes one column.
std::size_t width(std::string_view text);
/// At most so many characters, the last of them an ellipsis where something was cut off.
std::string shortened(std::string_view text, std::size_t characters);

/// What stands in a column; styles take no place in its width.
struct Cell {
    enum class Style : std::uint8_t { plain, bold, dim, red, green, yellow };
    Cell(std::string text, Style style = Style::plain) : text(std::move(text)), style(style) {}
    Cell(const char* text) : text(text) {}
    std::string text;
    Style style = Style::plain;
};
std::string painted(const Paint& paint, const Cell& cell);

/// Columns as wide as what stands in them, two spaces between. On a terminal the last column is cut
/// off at its edge, unless `wide`.
class Table {
  public:
    /// A heading that begins with '>' stands on the right, with its column.
    explicit Table(std::vector<std::string> headings);
    void row(std::vector<Cell> cells) { rows_.push_back(std::move(cells)); }
    bool empty() const { return rows_.empty(); }
    void print(const Paint& paint, bool wide = false) const;

  private:
    std::vector<std::string> headings_;
    std::vector<bool> right_;
    std::vector<std::vector<Cell>> rows_;
};

/// Columns of the terminal that stdout is; none when it is no terminal.
std::optional<std::size_t> terminal_width();

}  // namespace saga::cli
