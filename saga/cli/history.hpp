// What the stream says of sagas.
#pragma once

#include <functional>
#include <string>

#include "saga/cli/command.hpp"
#include "saga/view/fact.hpp"

namespace saga::cli {

struct StreamState {
    std::uint64_t first_seq = 1, last_seq = 0, messages = 0;
    StoreTime created{};
};
/// Throws Stop when there is no stream SAGA.
StreamState stream_state(bus::NatsClient& client, std::chrono::milliseconds timeout);
/// The first sequence that was stored at `time` or later: found by looking at a few.
std::uint64_t first_since(bus::NatsClient& client, Time time, std::chrono::milliseconds timeout);

/// Every event of one saga up to `head` and beyond, in the stream's order: from an observer that
/// has read as far, otherwise from the stream.
void read_saga(const Options& options, bus::NatsClient& client, const std::string& saga,
               const StreamState& head,
               const std::function<void(const core::Message&)>& on_message);

/// Throws Stop unless it can be the id of a saga.
void require_saga_id(const std::string& id);

}  // namespace saga::cli
