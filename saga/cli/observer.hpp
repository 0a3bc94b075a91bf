// The observer of this landscape, asked in place of the stream.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "saga/cli/history.hpp"
#include "saga/view/listing.hpp"

namespace saga::cli {

/// Every answer is nothing where there is no observer, where it has not read the stream up to
/// `head`, and where it cannot tell: then the stream itself is to be read.
class Observer {
  public:
    /// Waits for an answer for `timeout`, and no longer than a second.
    Observer(bus::NatsClient& client, std::chrono::milliseconds timeout);

    /// Every event of the saga, in the stream's order: at least one.
    std::optional<std::vector<bus::StoredMessage>> events(const std::string& saga,
                                                          const StreamState& head) const;
    std::optional<Listing> list(const Wanted& wanted, const StreamState& head) const;

  private:
    nlohmann::json ask(std::string_view verb, const nlohmann::json& body) const;

    bus::NatsClient& client_;
    std::chrono::milliseconds timeout_;
};

}  // namespace saga::cli
