#include "saga/core/json_text.hpp"

#include <fmt/format.h>
#include <sodium.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <saga/error.hpp>

#include "saga/core/text.hpp"

namespace saga::core {
namespace {

/// Bytes of the character that `text` begins with; 0 when it is no sound UTF-8.
std::size_t character(std::string_view text) {
    const auto first = static_cast<std::uint8_t>(text.front());
    const std::size_t length = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    return length <= text.size() && is_utf8(text.substr(0, length)) ? length : 0;
}

/// The code point, where it is one that a terminal obeys.
std::optional<unsigned> control(std::string_view character) {
    const auto first = static_cast<std::uint8_t>(character.front());
    if (character.size() == 1 && (first < 0x20 || first == 0x7F)) return first;
    if (character.size() != 2 || first != 0xC2) return std::nullopt;
    const auto second = static_cast<std::uint8_t>(character[1]);
    return second < 0xA0 ? std::optional<unsigned>(second) : std::nullopt;
}

}  // namespace

void JsonText::put(std::string_view text) {
    if (text_.size() + text.size() > most_)
        throw Error(fmt::format("it would be more than {} bytes of JSON", most_));
    text_ += text;
}

void JsonText::string(std::string_view text) {
    put("\"");
    while (!text.empty()) {
        const std::size_t length = character(text);
        const std::string_view here = text.substr(0, std::max<std::size_t>(length, 1));
        if (length == 0)
            put("\xEF\xBF\xBD");
        else if (here == "\n")
            put("\\n");
        else if (const auto code = control(here))
            put(fmt::format("\\u{:04x}", *code));
        else if (here == "\"" || here == "\\")
            put(fmt::format("\\{}", here));
        else
            put(here);
        text.remove_prefix(here.size());
    }
    put("\"");
}

void JsonText::base64(Bytes bytes) {
    constexpr int kVariant = sodium_base64_VARIANT_ORIGINAL;
    std::string text(sodium_base64_encoded_len(bytes.size(), kVariant), '\0');
    sodium_bin2base64(text.data(), text.size(),
                      reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), kVariant);
    text.pop_back();  // the terminating zero
    put("\"");
    put(text);
    put("\"");
}

void JsonText::real(double value) {
    put(std::isfinite(value) ? fmt::format("{}", value) : "null");
}
void JsonText::real(float value) {
    put(std::isfinite(value) ? fmt::format("{}", value) : "null");
}

void JsonText::name(std::string_view text) {
    if (!text_.empty() && text_.back() != '{') put(",");
    string(text);
    put(":");
}

}  // namespace saga::core
