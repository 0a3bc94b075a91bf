#include "saga/core/text.hpp"

#include <algorithm>
#include <cstdint>

#include "saga/core/limits.hpp"

namespace saga::core {
namespace {

bool lower(char c) {
    return c >= 'a' && c <= 'z';
}
bool letter(char c) {
    return lower(c) || (c >= 'A' && c <= 'Z');
}
bool digit(char c) {
    return c >= '0' && c <= '9';
}
bool word(char c) {
    return letter(c) || digit(c) || c == '_';
}
bool printable(char c) {
    return c > ' ' && c < '\x7f';
}

/// Bytes of the character that `text` begins with; 0 when it is none.
std::size_t character(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
    const std::uint8_t first = byte(0);
    if (first < 0x80) return 1;
    const std::size_t length = first >= 0xC2 && first <= 0xDF   ? 2
                               : first >= 0xE0 && first <= 0xEF ? 3
                               : first >= 0xF0 && first <= 0xF4 ? 4
                                                                : 0;
    if (length == 0 || text.size() < length) return 0;
    for (std::size_t i = 1; i < length; ++i)
        if (byte(i) < 0x80 || byte(i) > 0xBF) return 0;
    const bool overlong = (first == 0xE0 && byte(1) < 0xA0) || (first == 0xF0 && byte(1) < 0x90);
    const bool beyond = (first == 0xED && byte(1) > 0x9F) || (first == 0xF4 && byte(1) > 0x8F);
    return overlong || beyond ? 0 : length;
}

}  // namespace

bool is_saga_id(std::string_view text) {
    return !text.empty() && text.size() <= kMaxSagaId &&
           std::all_of(text.begin(), text.end(), [](char c) { return word(c) || c == '-'; });
}

bool is_name(std::string_view text) {
    return !text.empty() && text.size() <= kMaxName && lower(text.front()) &&
           std::all_of(text.begin(), text.end(),
                       [](char c) { return lower(c) || digit(c) || c == '_'; });
}

bool is_type(std::string_view text) {
    if (text.size() > 3 * kMaxName || text.find('.') == std::string_view::npos) return false;
    std::size_t length = 0;  // of the word that we are in
    for (const char c : text) {
        if (length == 0 ? !letter(c) : !(word(c) || c == '.')) return false;
        length = c == '.' ? 0 : length + 1;
        if (length > kMaxName) return false;
    }
    return length > 0;
}

bool is_token(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), printable);
}

bool is_utf8(std::string_view text) {
    while (!text.empty()) {
        const std::size_t length = character(text);
        if (length == 0) return false;
        text.remove_prefix(length);
    }
    return true;
}

std::string clipped(std::string_view text, std::size_t most) {
    if (text.size() <= most) return std::string(text);
    while (most > 0 && (static_cast<std::uint8_t>(text[most]) & 0xC0) == 0x80) --most;
    return std::string(text.substr(0, most));
}

std::string percent_encoded(std::string_view text) {
    constexpr char kHex[] = "0123456789ABCDEF";
    std::string encoded;
    encoded.reserve(text.size());
    for (const char c : text) {
        if (printable(c) && c != '"' && c != '%') {
            encoded += c;
        } else {
            const auto byte = static_cast<std::uint8_t>(c);
            encoded += {'%', kHex[byte >> 4], kHex[byte & 15]};
        }
    }
    return encoded;
}

}  // namespace saga::core
