#include "shared/csv.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace csv {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

/// Bytes of the character that begins `text`, or 0 where it is no UTF-8 (RFC 3629).
std::size_t character(std::string_view text) {
    const auto byte = [&](std::size_t i) {
        return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
    };
    const unsigned first = byte(0), second = byte(1);
    const auto follows = [&](std::size_t i) { return byte(i) >= 0x80 && byte(i) <= 0xBF; };
    if (first < 0x80) return 1;
    if (first >= 0xC2 && first <= 0xDF) return follows(1) ? 2 : 0;
    if (first >= 0xE0 && first <= 0xEF) {
        const bool shortest = first != 0xE0 || second >= 0xA0;
        const bool no_surrogate = first != 0xED || second <= 0x9F;
        return shortest && no_surrogate && follows(1) && follows(2) ? 3 : 0;
    }
    if (first >= 0xF0 && first <= 0xF4) {
        const bool shortest = first != 0xF0 || second >= 0x90;
        const bool in_range = first != 0xF4 || second <= 0x8F;
        return shortest && in_range && follows(1) && follows(2) && follows(3) ? 4 : 0;
    }
    return 0;
}

class Parser {
  public:
    explicit Parser(std::string_view text) : rest_(text) {
        if (rest_.starts_with(kByteOrderMark)) rest_.remove_prefix(kByteOrderMark.size());
    }

    std::vector<Row> rows() {
        std::vector<Row> rows;
        while (!rest_.empty()) {
            if (end_of_line()) continue;
            Row row{.line = line_, .fields = {}};
            do {
                row.fields.push_back(field());
                if (row.fields.size() > kMostColumns)
                    throw Malformed(row.line, fmt::format("more than {} columns", kMostColumns));
            } while (take(','));
            if (!rest_.empty() && !end_of_line())
                throw Malformed(line_, "a quoted field ends before its comma");
            rows.push_back(std::move(row));
        }
        return rows;
    }

  private:
    bool take(char wanted) {
        if (rest_.empty() || rest_.front() != wanted) return false;
        rest_.remove_prefix(1);
        return true;
    }
    bool end_of_line() {
        if (rest_.starts_with("\r\n")) rest_.remove_prefix(1);
        if (!take('\n')) return false;
        ++line_;
        return true;
    }

    std::string field() { return take('"') ? quoted() : plain(); }
    std::string plain() {
        std::string text;
        while (!rest_.empty() && rest_.front() != ',' && rest_.front() != '\n' &&
               !rest_.starts_with("\r\n")) {
            if (rest_.front() == '"')
                throw Malformed(line_,
                                "a quote stands inside a field that does not begin with one");
            if (rest_.front() == '\r')
                throw Malformed(line_, "a carriage return without line feed");
            add(text);
        }
        return text;
    }
    std::string quoted() {
        const std::size_t begun = line_;
        std::string text;
        while (!rest_.empty()) {
            if (take('"')) {
                if (!take('"')) return text;
                text += '"';
                continue;
            }
            if (rest_.front() == '\n') ++line_;
            add(text);
        }
        throw Malformed(begun, "a quoted field has no end");
    }
    /// One character, whole.
    void add(std::string& text) {
        const std::size_t bytes = character(rest_);
        if (bytes == 0) throw Malformed(line_, "it is not UTF-8");
        if (rest_.front() == '\0') throw Malformed(line_, "it holds a zero byte: is this a table?");
        text += rest_.substr(0, bytes);
        rest_.remove_prefix(bytes);
        if (text.size() > kMostFieldBytes)
            throw Malformed(line_, fmt::format("a field of more than {} bytes", kMostFieldBytes));
    }

    std::string_view rest_;
    std::size_t line_ = 1;
};

/// Where each of the columns stands in the header.
std::vector<std::size_t> places(const Row& header, std::span<const std::string_view> columns) {
    std::vector<std::size_t> found;
    for (const std::string_view column : columns) {
        const auto at = std::find(header.fields.begin(), header.fields.end(), column);
        if (at == header.fields.end())
            throw Malformed(header.line, fmt::format("the header has no column {}", column));
        if (std::count(at, header.fields.end(), column) > 1)
            throw Malformed(header.line, fmt::format("the header has column {} twice", column));
        found.push_back(static_cast<std::size_t>(at - header.fields.begin()));
    }
    return found;
}

}  // namespace

std::vector<Row> parse(std::string_view text) {
    return Parser(text).rows();
}

std::vector<Row> read(std::string_view text, std::span<const std::string_view> columns) {
    std::vector<Row> rows = parse(text);
    if (rows.empty()) throw Malformed(1, "it is empty");
    const Row header = std::move(rows.front());
    const std::vector<std::size_t> wanted = places(header, columns);
    rows.erase(rows.begin());
    if (rows.empty()) throw Malformed(header.line, "nothing follows the header");
    for (Row& row : rows) {
        if (row.fields.size() != header.fields.size())
            throw Malformed(row.line, fmt::format("{} columns, where the header has {}",
                                                  row.fields.size(), header.fields.size()));
        std::vector<std::string> chosen;
        for (const std::size_t place : wanted) chosen.push_back(std::move(row.fields[place]));
        row.fields = std::move(chosen);
    }
    return rows;
}

}  // namespace csv
