// Reads the stream from outside, for clients and operators: nothing there is changed by it.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "saga/bus/bus.hpp"
#include "saga/bus/nats_options.hpp"
#include "saga/core/envelope.hpp"
#include "saga/core/history.hpp"

namespace saga::runtime {

class StreamView {
  public:
    struct Range {
        std::string filter = "saga.>";
        std::uint64_t from = 1;  ///< the first sequence
        /// Throws Error when nothing at all comes for so long before the head is reached; of a
        /// follower, how long it follows.
        std::chrono::milliseconds timeout = std::chrono::seconds(10);
        bool follow = false;         ///< Go on at the head, for what is published from now on.
        std::function<bool()> stop;  ///< Asked now and then: true ends it.
    };
    /// In order; false: enough.
    using OnMessage = std::function<bool(const core::Message&)>;
    /// What is no event: its subject, and why.
    using OnJunk =
        std::function<void(std::uint64_t seq, std::string_view subject, std::string_view why)>;

    /// As it is stored: whatever it is.
    using OnStored = std::function<bool(const bus::StoredMessage&)>;

    explicit StreamView(bus::Address address) : address_(std::move(address)) {}

    /// Throws Error when there is no broker or no stream. Follows through broken connections.
    void read(const Range& range, const OnMessage& on_message, const OnJunk& on_junk = {});
    void read_stored(const Range& range, const OnStored& on_stored);

  private:
    bus::Address address_;
};

}  // namespace saga::runtime
