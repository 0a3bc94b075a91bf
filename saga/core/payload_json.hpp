// An event's payload as JSON, by its binary schema: for tools, which know no event's C++ type.
#pragma once

#include <memory>
#include <optional>
#include <saga/event.hpp>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "saga/core/envelope.hpp"

namespace saga::core {

/// Bytes of the JSON of one payload. The largest message whose every byte is escaped, as six
/// characters, has a little less.
inline constexpr std::size_t kMaxPayloadJson = 2 * 1024 * 1024;

/// What `flatc --binary --schema` made of a schema file. Copies share its bytes.
class PayloadSchema {
  public:
    /// Empty when the bytes are no sound schema. Keeps a copy of them.
    static std::optional<PayloadSchema> read(Bytes bfbs);

    Bytes bytes() const { return *bfbs_; }
    std::vector<std::string> tables() const;  ///< Full names: "shop.payment.PaymentTaken".
    bool knows(std::string_view table) const;

    /// One line of JSON: fields in the order of their declaration, with defaults where a number is
    /// absent; integers as JSON numbers, of 64 bits too; enums by name; [ubyte] as base64; what is
    /// no UTF-8 replaced by U+FFFD, control characters escaped.
    ///
    /// The payload may be hostile: every offset is looked at before it is followed, and depth,
    /// tables and output are bounded. What the generated verifier refuses is Unreadable here too,
    /// with the reason.
    std::variant<std::string, Unreadable> json(std::string_view table, Bytes payload) const;

  private:
    explicit PayloadSchema(std::shared_ptr<const std::vector<std::byte>> bfbs)
        : bfbs_(std::move(bfbs)) {}
    std::shared_ptr<const std::vector<std::byte>> bfbs_;
};

}  // namespace saga::core
