// Requests to the service: commands, questions, operators' words, and the NATS service protocol
// (ADR-32), so that `nats service ls` and `nats service stats` know it.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "saga/bus/bus.hpp"
#include "saga/core/shard.hpp"
#include "saga/runtime/backups.hpp"
#include "saga/runtime/clock.hpp"
#include "saga/runtime/worker.hpp"

namespace saga::runtime {

class Desk {
  public:
    struct Self {
        core::Instance name;
        std::string instance, version, where;
        Time started;
    };
    /// `state` is asked for JSON that says how the service is.
    Desk(const Contract& contract, store::Store& store, bus::Bus& bus, Backups& backups,
         Clock& clock, Self self, std::function<std::string()> state);

    std::vector<std::string> subjects() const;

    /// Answers at once what only reads; what writes goes to `in`, unless `closed` says why not.
    void take(bus::Request request, Inbound& in, const std::string& closed);
    /// A request that was committed, or refused.
    void reply(const Reply& reply);

  private:
    struct Endpoint {
        std::string subject;
        std::string_view what;  // for people: who is to ask it
        std::string body;       // and with what
        std::uint64_t requests = 0, answers = 0, errors = 0;
        std::chrono::nanoseconds taken{0};  // by its answers
        std::string last_error;
    };
    void add(std::string_view verb, std::string_view what, std::string_view body);
    bool writes(std::string_view verb) const;
    void take_own(bus::Request request, const std::string& verb, Inbound& in,
                  const std::string& closed);
    void take_for_all(bus::Request request, const std::string& verb, Inbound& in,
                      const std::string& closed);
    void serve(bus::Request request, const std::string& verb, const core::Headers& headers,
               Inbound& in, const std::string& closed);
    std::optional<std::string> saga_asked(std::string_view verb, Bytes body) const;
    std::string read(std::string_view verb, std::string_view body);
    std::string discovery(std::string_view word) const;
    void answer(const std::string& verb, const std::string& reply, const std::string& json,
                Clock::Steady asked, const core::Headers& headers = {});

    const Contract& contract_;
    store::Store& store_;
    bus::Bus& bus_;
    Backups& backups_;
    Clock& clock_;
    Self self_;
    std::function<std::string()> state_;
    std::map<std::string, Endpoint, std::less<>> endpoints_;  // by verb
    struct Asked {
        std::string verb, reply;
        Clock::Steady at;
    };
    std::map<std::uint64_t, Asked> asked_;
    std::uint64_t last_token_ = 0;
};

}  // namespace saga::runtime
