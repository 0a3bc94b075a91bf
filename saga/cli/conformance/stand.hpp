// Where a participant is tried: whoever speaks to it stands outside, on the same broker.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "saga/cli/conformance/payload.hpp"
#include "saga/cli/landscape.hpp"
#include "saga/core/envelope.hpp"

namespace saga::cli {

/// An event that was put into the stream for the participant to read.
struct Forged {
    std::string subject;
    std::vector<std::byte> bytes;
    EventId id;
    Time started;
};

/// An event of the participant, each id once.
struct Said {
    EventId id, cause;
    std::string type, event, because;
    Kind kind = Kind::done;
    Time started;
    unsigned hops = 0;
    std::string wrong;  ///< with its subject or its headers; empty when all is well
};

class Stand {
  public:
    struct Limits {
        std::chrono::milliseconds request{5'000};
        std::chrono::milliseconds within{10'000};  ///< for an answer of the participant
    };
    /// Begins to look at the head of the stream. Throws Stop where there is none.
    Stand(bus::NatsClient& client, const ServiceContract& contract, FieldValues values,
          Limits limits);

    const ServiceContract& contract() const { return contract_; }
    const Limits& limits() const { return limits_; }
    std::string new_saga();  ///< An id that no saga had.

    /// An event as its owner would publish it: sound, without a cause. What is said and forged of a
    /// saga has one `started`.
    Forged forge(std::string_view type, Kind kind, const std::string& saga, bool newer = false);
    /// As forge, with this payload.
    Forged forge(std::string_view type, Kind kind, const std::string& saga,
                 std::vector<std::byte> payload);
    /// A failure of a type that nobody knows; each name is another one.
    Forged failure(const std::string& saga, std::string_view name = "ConformanceFailed");
    /// Puts it into the stream, also when it stands there already: the broker drops no duplicate.
    void send(const Forged& event);
    void send(const std::string& subject, Bytes bytes);
    /// The answer to a request of this saga, built as payloads are. Asks again where there is none,
    /// or one that says so, for at most limits().within; the last answer, then.
    std::string command(const flow::Command& command, const std::string& saga);

    /// What the participant has said in a saga so far.
    const std::vector<Said>& said(const std::string& saga);
    /// Looks until `met`, for at most limits().within; whether it was met.
    bool wait(const std::function<bool()>& met);
    /// Dead letters of the participant.
    std::uint64_t letters();

  private:
    const core::PayloadSchema& schema_of(std::string_view type) const;
    void read();
    void read(const nlohmann::json& message);

    bus::NatsClient& client_;
    const ServiceContract& contract_;
    FieldValues values_;
    Limits limits_;
    std::string nonce_;
    std::uint64_t next_seq_ = 1, sagas_ = 0, sent_ = 0;
    std::map<std::string, std::vector<Said>> said_;
    std::map<std::string, Time> started_;  ///< by saga
};

}  // namespace saga::cli
