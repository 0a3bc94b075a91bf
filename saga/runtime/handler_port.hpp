// What a handler's View and Tx stand on, and what it is given.
#pragma once

#include <optional>
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
    LockHeld(const std::string& why, std::vector<std::string> wanted, bool deadlock)
        : std::runtime_error(why), wanted_(std::move(wanted)), deadlock_(deadlock) {}
    const std::vector<std::string>& wanted() const { return wanted_; }
    bool deadlock() const { return deadlock_; }

  private:
    std::vector<std::string> wanted_;
    bool deadlock_;
};

/// What lock() does in a handler.
enum class Locking : std::uint8_t {
    none,     ///< nothing, and waits for nothing
    in_turn,  ///< takes it, unless somebody holds it or asked before
    ahead,    ///< takes it, unless somebody holds it: of a handler that cannot queue
};

/// The service's database inside the engine's transaction, for one handler.
class HandlerPort final : public detail::Port {
  public:
    HandlerPort(const Contract& contract, store::Store& store, const core::SagaState& state,
                Time now, Locking locking)
        : contract_(contract), store_(store), state_(state), now_(now), locking_(locking) {}

    std::int64_t exec(std::string_view sql, std::span<const detail::Value> args) override;
    void query(std::string_view sql, std::span<const detail::Value> args,
               const OnRow& on_row) override;
    void lock(std::span<const std::string_view> entities) override;
    bool seen(std::string_view event) override;
    Time now() override { return now_; }
    const std::string& saga_id() override { return state_.row.id; }

    bool took_locks() const { return took_locks_; }
    /// Throws what lock() threw, which the handler may have caught.
    void require_locks() const {
        if (held_) throw LockHeld(*held_);
    }

  private:
    void require_free(const std::vector<std::string>& entities);
    bool handled(std::string_view event) const;
    const Contract& contract_;
    store::Store& store_;
    const core::SagaState& state_;
    Time now_;
    Locking locking_;
    bool locked_ = false, took_locks_ = false;
    std::optional<LockHeld> held_;
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
