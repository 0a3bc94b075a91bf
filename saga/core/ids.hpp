// Ids that the same work has on every run, and that nobody without the key can guess.
#pragma once

#include <sodium.h>

#include <optional>
#include <saga/event.hpp>
#include <string_view>
#include <vector>

namespace saga::core {

/// What an id is for. Never change: hashed.
enum class Role : std::uint8_t {
    outcome = 1,  ///< success or failure of a step: both have the same id
    undo = 2,
    timer = 3,
    call = 4,  ///< the idempotency key of a call
    command = 5,
    operation = 6,  ///< an operator's word
    notice = 7,     ///< a dead letter
};

/// A piece of work, named so that it is the same on every run, whichever failure came first.
struct Work {
    std::string_view service;
    std::string_view saga;
    std::string_view step;
    Role role = Role::outcome;
    std::uint32_t slot = 0;  ///< of several events, which
    EventId trigger{};       ///< only where the step runs once for each event
};

/// The deployment's secret. Cheap to copy; the bytes stay out of logs and databases.
class IdKey {
  public:
    static constexpr std::size_t kSize = 32;
    explicit IdKey(const std::array<std::uint8_t, kSize>& secret);

    /// UUIDv8: 48 bits of milliseconds of `started`, then a keyed BLAKE2b of the work.
    EventId id(Time started, const Work& work) const;
    /// 16 bytes that say which key this is and nothing about it.
    EventId fingerprint() const;
    /// 16 bytes for a request's body: the same body has the same ones, and they tell nobody which.
    EventId digest(std::string_view purpose, Bytes body) const;

    /// For the holder of the key alone (XChaCha20-Poly1305, bound to `id`). The same bytes under
    /// the same id seal alike, so that a repeated run publishes the same event.
    std::vector<std::byte> seal(const EventId& id, Bytes plain) const;
    /// Empty when the bytes were sealed with another key, for another id, or not at all.
    std::optional<std::vector<std::byte>> open(const EventId& id, Bytes sealed) const;

  private:
    std::array<std::uint8_t, kSize> ids_, seals_;
    crypto_generichash_state begun_;  // keyed with ids_: half of an id's hashing, done once
};

}  // namespace saga::core
