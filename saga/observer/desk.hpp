// What an observer answers. Its subjects are `saga-ctl.observer.<verb>`; bodies and answers are
// JSON, in docs/protocol.md.
#pragma once

#include <array>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "saga/bus/nats_client.hpp"
#include "saga/observer/contracts.hpp"
#include "saga/observer/watched.hpp"
#include "saga/runtime/clock.hpp"
#include "saga/view/inquiry.hpp"

namespace saga::observer {

struct Self {
    std::string instance, version, where;
    Time started;
    std::chrono::nanoseconds keep;  ///< how long what has finished is kept
};

/// Runs on the thread that a NatsClient serves with; asks the services over the client.
class Desk {
  public:
    Desk(Watched& watched, Contracts& contracts, bus::NatsClient& client, runtime::Clock& clock,
         Self self);

    /// Those that only an observer answers that has read the stream.
    static constexpr std::array<std::string_view, 4> kVerbs{"trace", "show", "events", "ls"};
    /// One of them, or `state`.
    std::string answer(std::string_view verb, std::string_view body);
    /// The NATS service protocol (ADR-32): `word` is PING, INFO or STATS.
    std::string discovery(std::string_view word);

  private:
    struct Refusal;
    /// Throws Refusal of what is no saga id.
    static std::string saga_of(const nlohmann::json& question);
    /// What of the index a question needs, once the index is as far as the question says.
    std::unique_lock<std::mutex> wait_for(const nlohmann::json& question);
    std::string trace(const nlohmann::json& question, bool events);
    std::string events(const nlohmann::json& question);
    std::string list(const nlohmann::json& question);
    std::string state();
    std::shared_ptr<const view::Landscape> landscape();
    std::vector<std::string> instances(const view::Landscape& landscape);
    std::optional<std::vector<view::Letter>> letters(const std::string& service,
                                                     const std::string& saga);

    struct Asked {
        std::uint64_t requests = 0, errors = 0;
        std::string last_error;
    };
    std::string answer_or_refuse(std::string_view verb, std::string_view body);

    std::map<std::string, Asked, std::less<>> asked_;  // by verb
    Watched& watched_;
    Contracts& contracts_;
    bus::NatsClient& client_;
    runtime::Clock& clock_;
    Self self_;
};

}  // namespace saga::observer
