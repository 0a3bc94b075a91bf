#include "saga/cli/words.hpp"

#include <fmt/chrono.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "saga/cli/output.hpp"
#include "saga/core/text.hpp"

namespace saga::cli {
namespace {

using namespace std::chrono_literals;

constexpr auto kLongest = 100 * 365 * 24h;  // of a duration: 64 bits count 292 years of ns

/// The unit that `text` begins with, taken off.
std::optional<std::chrono::milliseconds> take_unit(std::string_view& text) {
    constexpr std::array<std::pair<std::string_view, std::chrono::milliseconds>, 5> kUnits{
        {{"ms", 1ms}, {"s", 1s}, {"m", 1min}, {"h", 1h}, {"d", 24h}}};
    for (const auto& [name, unit] : kUnits) {
        const bool another = name == "m" && text.starts_with("ms");
        if (!text.starts_with(name) || another) continue;
        text.remove_prefix(name.size());
        return unit;
    }
    return std::nullopt;
}

template <class Unit>
std::string two(std::chrono::nanoseconds duration, std::chrono::nanoseconds big,
                std::string_view big_name, std::string_view small_name) {
    const auto rest = std::chrono::duration_cast<Unit>(duration % big).count();
    return rest == 0 ? fmt::format("{} {}", duration / big, big_name)
                     : fmt::format("{} {} {} {}", duration / big, big_name, rest, small_name);
}

std::string padded(const Paint& paint, const Cell& cell, std::size_t columns, bool right) {
    const std::size_t has = width(cell.text);
    const std::string space(columns > has ? columns - has : 0, ' ');
    return right ? space + painted(paint, cell) : painted(paint, cell) + space;
}

}  // namespace

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
    std::chrono::milliseconds sum{0};
    if (text.empty()) return std::nullopt;
    while (!text.empty()) {
        double number = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
        if (error != std::errc{} || !(number >= 0) || number > 1e9) return std::nullopt;
        text.remove_prefix(static_cast<std::size_t>(end - text.data()));
        const auto unit = text.empty() ? std::optional(1'000ms) : take_unit(text);
        if (!unit) return std::nullopt;
        sum += std::chrono::milliseconds(std::llround(number * static_cast<double>(unit->count())));
        if (sum > kLongest) return std::nullopt;
    }
    return sum;
}

std::string brief(std::chrono::nanoseconds duration) {
    if (duration < 0ns) return "-" + brief(-duration);
    if (duration < 1ms)
        return fmt::format("{} us",
                           std::chrono::duration_cast<std::chrono::microseconds>(duration).count());
    if (duration < 1s)
        return fmt::format("{} ms",
                           std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
    if (duration < 10s)
        return fmt::format("{:.2f} s",
                           std::floor(static_cast<double>(duration.count()) / 1e7) / 100);
    if (duration < 1min)
        return fmt::format("{} s",
                           std::chrono::duration_cast<std::chrono::seconds>(duration).count());
    if (duration < 1h) return two<std::chrono::seconds>(duration, 1min, "min", "s");
    if (duration < 24h) return two<std::chrono::minutes>(duration, 1h, "h", "min");
    return two<std::chrono::hours>(duration, 24h, "d", "h");
}

std::string size_text(std::uint64_t bytes) {
    constexpr std::array<std::string_view, 5> kUnits{"B", "kB", "MB", "GB", "TB"};
    if (bytes < 1000) return fmt::format("{} B", bytes);
    double value = static_cast<double>(bytes);
    std::size_t unit = 0;
    while (value >= 1000 && unit + 1 < kUnits.size()) {
        value /= 1000;
        ++unit;
    }
    return fmt::format("{:.1f} {}", value, kUnits.at(unit));
}

std::string count_text(std::uint64_t count, std::string_view word) {
    return fmt::format("{} {}{}", count, word, count == 1 ? "" : "s");
}

std::string clock_text(std::chrono::system_clock::time_point time) {
    const auto now = std::chrono::system_clock::now();
    const std::time_t then = std::chrono::system_clock::to_time_t(time);
    const std::time_t today = std::chrono::system_clock::to_time_t(now);
    const auto ms = std::chrono::floor<std::chrono::milliseconds>(time) -
                    std::chrono::floor<std::chrono::seconds>(time);
    const std::tm local = fmt::localtime(then), day = fmt::localtime(today);
    const bool same = local.tm_yday == day.tm_yday && local.tm_year == day.tm_year;
    const std::string clock = fmt::format("{:%T}.{:03}", local, ms.count());
    return same ? clock : fmt::format("{:%F} {}", local, clock);
}

std::string harmless(std::string_view text) {
    const bool sound = core::is_utf8(text);
    std::string safe;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<std::uint8_t>(text[i]);
        const bool c1 =
            byte == 0xC2 && i + 1 < text.size() && static_cast<std::uint8_t>(text[i + 1]) < 0xA0;
        if (byte < 0x20 || byte == 0x7F || (byte >= 0x80 && !sound)) {
            safe += byte == '\n' || byte == '\t' ? ' ' : '?';
        } else if (c1) {
            safe += '?';
            ++i;
        } else {
            safe += text[i];
        }
    }
    return safe;
}

std::size_t width(std::string_view text) {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
        return (static_cast<std::uint8_t>(c) & 0xC0) != 0x80;
    }));
}

std::string shortened(std::string_view text, std::size_t characters) {
    if (width(text) <= characters) return std::string(text);
    std::size_t end = 0, kept = 0;
    while (end < text.size()) {
        const bool begins = (static_cast<std::uint8_t>(text[end]) & 0xC0) != 0x80;
        if (begins && ++kept >= std::max<std::size_t>(characters, 1)) break;
        ++end;
    }
    return std::string(text.substr(0, end)) + "…";
}

std::string painted(const Paint& paint, const Cell& cell) {
    switch (cell.style) {
        case Cell::Style::bold:
            return paint.bold(cell.text);
        case Cell::Style::dim:
            return paint.dim(cell.text);
        case Cell::Style::red:
            return paint.red(cell.text);
        case Cell::Style::green:
            return paint.green(cell.text);
        case Cell::Style::yellow:
            return paint.yellow(cell.text);
        case Cell::Style::plain:
            break;
    }
    return cell.text;
}

std::optional<std::size_t> terminal_width() {
    winsize size{};
    if (::isatty(STDOUT_FILENO) == 0) return std::nullopt;
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return std::nullopt;
    return size.ws_col;
}

Table::Table(std::vector<std::string> headings) : headings_(std::move(headings)) {
    for (std::string& heading : headings_) {
        right_.push_back(heading.starts_with('>'));
        if (right_.back()) heading.erase(0, 1);
    }
}

void Table::print(const Paint& paint, bool wide) const {
    std::vector<std::size_t> widths;
    for (const std::string& heading : headings_) widths.push_back(width(heading));
    for (const auto& row : rows_)
        for (std::size_t i = 0; i < row.size(); ++i)
            widths[i] = std::max(widths[i], width(row[i].text));
    const std::size_t last = headings_.size() - 1;
    std::size_t before = 0;
    for (std::size_t i = 0; i < last; ++i) before += widths[i] + 2;
    const auto edge = wide ? std::nullopt : terminal_width();
    const std::size_t room = edge && *edge > before + 10 ? *edge - before : std::string::npos;
    const auto line = [&](const std::vector<Cell>& cells) {
        std::string text;
        for (std::size_t i = 0; i < cells.size(); ++i) {
            const bool ends = i + 1 == cells.size() && !right_[i];
            Cell cell = cells[i];
            if (ends) cell.text = shortened(cell.text, room);
            text += padded(paint, cell, ends ? 0 : widths[i], right_[i]);
            if (i + 1 < cells.size()) text += "  ";
        }
        out(text.substr(0, text.find_last_not_of(' ') + 1) + "\n");
    };
    std::vector<Cell> headings;
    for (const std::string& heading : headings_) headings.emplace_back(heading, Cell::Style::dim);
    line(headings);
    for (const auto& row : rows_) line(row);
}

}  // namespace saga::cli
