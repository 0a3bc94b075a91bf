// What a handler's View and Tx stand on, and what it is given.
#pragma once

#include <saga/service.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "saga/core/envelope.hpp"
#include "saga/core/saga.hpp"
#include "saga/store/store.hpp"

namespace saga::runtime {

/// Another saga holds what the handler needs: it is rolled back and its event parks.
class LockHeld : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

/// The service's database inside the engine's transaction, for one handler.
class HandlerPort final : public detail::Port {
  public:
    HandlerPort(const Contract& contract, store::Store& store, const core::SagaState& state,
                Time now, bool may_lock)
        : contract_(contract), store_(store), state_(state), now_(now), may_lock_(may_lock) {}

    std::int64_t exec(std::string_view sql, std::span<const detail::Value> args) override;
    void query(std::string_view sql, std::span<const detail::Value> args,
               const OnRow& on_row) override;
    void lock(std::span<const std::string_view> entities) override;
    bool seen(std::string_view event) override;
    Time now() override { return now_; }
    const std::string& saga_id() override { return state_.row.id; }

    bool took_locks() const { return took_locks_; }

  private:
    bool handled(std::string_view event) const;
    const Contract& contract_;
    store::Store& store_;
    const core::SagaState& state_;
    Time now_;
    bool may_lock_, locked_ = false, took_locks_ = false;
};

/// The events of a handler's signature, with the bytes that they look at.
struct Given {
    std::vector<std::vector<std::byte>> bytes;
    std::vector<AnyEvent> events;
    std::uint16_t hops = 0;  ///< the most of any of them
    std::string trace;       ///< of the last one that has one

    void add(const core::Envelope& envelope);
    void add(std::vector<std::byte> envelope_bytes);  ///< Of an envelope that was read before.

    /// The payloads one after the other, each behind its size (four bytes, big end first). Never
    /// change: stored.
    std::vector<std::byte> packed() const;
    bool unpack(Bytes packed);  ///< Into `bytes`; false: it is no packed()
};

}  // namespace saga::runtime
