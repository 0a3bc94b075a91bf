// Names as pictures and courses show them.
#pragma once

#include <saga/detail/event_type.hpp>
#include <string>
#include <string_view>

namespace saga::flow {

/// "PaymentTaken" of "shop.payment.PaymentTaken".
inline std::string_view short_name(std::string_view event) {
    return detail::split_type(event).name;
}

/// Without control characters, nor those that a language takes for its own: anybody may have
/// written the contract that it comes from.
inline std::string plain(std::string_view text, std::string_view refused) {
    std::string out(text);
    for (char& letter : out)
        if (static_cast<unsigned char>(letter) < 0x20 || letter == 0x7F ||
            refused.find(letter) != std::string_view::npos)
            letter = '_';
    return out;
}

}  // namespace saga::flow
