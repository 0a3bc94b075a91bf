// What names and ids may look like.
#pragma once

#include <string>
#include <string_view>

namespace saga::core {

/// [A-Za-z0-9_-]{1,64}: a token of a subject, a key of SQLite, a header.
bool is_saga_id(std::string_view text);
/// [a-z][a-z0-9_]*, at most 64 characters: services, steps, verbs, settings.
bool is_name(std::string_view text);
/// Words of [A-Za-z][A-Za-z0-9_]{0,63} with dots between: "shop.payment.PaymentTaken".
bool is_type(std::string_view text);
/// Printable ASCII without a space.
bool is_token(std::string_view text);
/// Whether every byte belongs to well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms).
bool is_utf8(std::string_view text);
/// At most `most` bytes of `text`, cut between characters.
std::string clipped(std::string_view text, std::size_t most);
/// A header's value as CloudEvents wants it: everything outside U+0021..U+007E, `"` and `%` as %XX.
std::string percent_encoded(std::string_view text);

}  // namespace saga::core
