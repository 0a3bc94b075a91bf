// Sagas of the test landscape as they stand in a stream: for tests without a broker.
#pragma once

#include <saga/event.hpp>
#include <string>
#include <vector>

#include "saga/bus/bus.hpp"
#include "saga/view/landscape.hpp"

namespace saga::testing {

/// One event of a saga, in a word: "asked", "granted", "denied", "checked", "rejected", "revoked",
/// "closed", "gave_up".
bus::StoredMessage told(const std::string& saga, const std::string& word, std::uint64_t seq);

/// When the n-th message of a stream was stored, and its saga began.
Time began(std::uint64_t seq);

/// asker, granter and auditor.
view::Landscape small_landscape();

/// Messages of one stream, numbered as they come.
class Tale {
  public:
    Tale& tell(const std::string& saga, const std::vector<std::string>& words);
    Tale& junk();
    const std::vector<bus::StoredMessage>& messages() const { return messages_; }
    std::uint64_t last() const { return messages_.size(); }

  private:
    std::vector<bus::StoredMessage> messages_;
};

}  // namespace saga::testing
