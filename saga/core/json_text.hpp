// JSON as it is written: bounded, and harmless on a terminal.
#pragma once

#include <cstddef>
#include <saga/event.hpp>
#include <string>
#include <string_view>

namespace saga::core {

class JsonText {
  public:
    explicit JsonText(std::size_t most) : most_(most) {}

    /// As it is. Throws Error beyond the bound, as all that follow do.
    void put(std::string_view text);
    /// Quoted; what is no UTF-8 replaced by U+FFFD, control characters (C1 too) escaped.
    void string(std::string_view text);
    void base64(Bytes bytes);  ///< quoted
    void real(double value);   ///< null where JSON has no number for it
    void real(float value);
    void name(std::string_view text);  ///< of a member, with the comma before it where one belongs

    std::string take() { return std::move(text_); }

  private:
    std::size_t most_;
    std::string text_;
};

}  // namespace saga::core
