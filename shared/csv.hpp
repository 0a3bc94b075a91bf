// Comma-separated values as RFC 4180 has them: quoted fields with commas, line breaks and doubled
// quotes inside, rows that end in LF or CRLF. A byte order mark in front is passed over.
#pragma once

#include <saga/error.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace csv {

inline constexpr std::size_t kMostColumns = 100;
inline constexpr std::size_t kMostFieldBytes = 64 * 1024;

/// The text is no table: in which line (from 1), and what is wrong there, in a few words.
class Malformed : public saga::Error {
  public:
    Malformed(std::size_t at, const std::string& why) : Error(why), line(at) {}
    std::size_t line;
};

struct Row {
    std::size_t line = 0;  ///< where it begins
    std::vector<std::string> fields;
};

/// Every row of the text; empty lines are passed over. Throws Malformed, also where the text is not
/// UTF-8.
std::vector<Row> parse(std::string_view text);

/// The rows below the header, each with these columns in this order, in whatever order the text has
/// them; other columns are passed over. Throws Malformed, also at a missing or doubled column, a
/// row of another width than the header, and a text without a row.
std::vector<Row> read(std::string_view text, std::span<const std::string_view> columns);

}  // namespace csv
