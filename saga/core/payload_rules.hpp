// Whether a handler may be given a payload: what the generated verifier says, and what it does not
// look at.
#pragma once

#include <saga/detail/event_type.hpp>

namespace saga::core {

/// Whether the bytes are a sound table of the type, and by its schema: text is UTF-8 without a zero
/// byte, a value of an enumeration or of flags is one that it names, and a union holds what it says
/// that it holds. Bytes may stand anywhere. Of a type without a schema only the verifier judges, of
/// one that is none (saga::Failed) nobody. Any thread.
bool is_sound(const detail::EventType& type, Bytes payload);

/// Throws Error where a handler returned what no reader would take.
void require_sound(const detail::EventType& type, Bytes payload);

}  // namespace saga::core
