// Subjects of the stream and of requests. docs/protocol.md is the normative text.
#pragma once

#include <optional>
#include <saga/event.hpp>
#include <string>
#include <string_view>

namespace saga::core {

inline constexpr std::string_view kStream = "SAGA";
inline constexpr std::string_view kDeadLetters = "SAGA_DLQ";
inline constexpr std::string_view kOwners = "SAGA_OWNERS";
inline constexpr std::string_view kContracts = "SAGA_CONTRACTS";
inline constexpr std::string_view kConfig = "SAGA_CONFIG";

std::string_view name_of(Kind kind);  ///< "done", "failed", "undone", "ended"
std::optional<Kind> kind_of(std::string_view name);

/// FNV-1a 64 of the UTF-8 bytes, modulo 64. Never change: a token of every subject.
unsigned partition_of(std::string_view saga_id);
std::string_view partition_token(std::string_view saga_id);  ///< "p00" to "p63"

/// "saga.payment.done.PaymentTaken.p07", with the saga id as last token when `with_saga`.
std::string event_subject(std::string_view service, Kind kind, std::string_view event,
                          std::string_view saga_id, bool with_saga);
/// "saga-dlq.payment.PaymentTaken.p07"; a message without a readable event or saga has "unknown"
/// and "p00".
std::string dead_letter_subject(std::string_view service, std::string_view event,
                                std::string_view saga_id);
bool is_dead_letter(std::string_view subject);
/// "saga-ctl.payment.books"
std::string request_subject(std::string_view service, std::string_view verb);
/// Whether a service, or one of its instances, is asked there.
bool is_request(std::string_view subject);

struct EventSubject {
    std::string_view service;
    Kind kind = Kind::done;
    std::string_view event;
    std::string_view partition;
    std::string_view saga_id;  ///< empty when the subject carries none
};
/// Empty when it is no subject of an event.
std::optional<EventSubject> parse_event_subject(std::string_view subject);

}  // namespace saga::core
