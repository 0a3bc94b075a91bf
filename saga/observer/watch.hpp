// An observer at work: reads, judges, forgets, and has questions answered.
#pragma once

#include <memory>

#include "saga/bus/nats_client.hpp"
#include "saga/observer/desk.hpp"
#include "saga/observer/tail.hpp"

namespace saga::observer {

/// One thread; questions are answered by the client's, see Watched.
class Watch {
  public:
    /// `connect` makes the client over which questions come; it may throw Error, and is then asked
    /// again.
    using Connect = std::function<std::unique_ptr<bus::NatsClient>()>;
    Watch(Watched& watched, bus::Bus& bus, runtime::Clock& clock, Self self, Connect connect);

    /// One bounded round; when the next one is due at the latest.
    bus::Steady turn();
    /// Takes its consumer off the broker.
    void stop();
    std::string trouble() const { return trouble_; }  ///< Why it is not ready; empty: it is.

  private:
    /// What exists once there is a client.
    struct Served {
        Served(Watch& watch, std::unique_ptr<bus::NatsClient> made);
        ~Served() { client.reset(); }  // its thread asks the desk
        Served(const Served&) = delete;
        Served& operator=(const Served&) = delete;
        void open();
        std::unique_ptr<bus::NatsClient> client;
        Contracts contracts;
        Desk desk;
        bool opened = false;
    };
    void read();
    bool level();
    void look_at_contracts();
    void connect();
    bool tidy();
    void say();

    Watched& watched_;
    bus::Bus& bus_;
    runtime::Clock& clock_;
    Self self_;
    Connect connect_;
    std::string consumer_;
    Tail tail_;
    bus::Steady now_{}, next_connect_{}, next_contracts_{}, next_prune_{}, next_idle_write_{};
    std::string trouble_, no_contracts_;  // no_contracts_: why there are none
    std::unique_ptr<Served> served_;
};

}  // namespace saga::observer
