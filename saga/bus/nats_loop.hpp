// One connection of nats.c, driven by our own thread: it reads when we poll and writes when we
// flush, so that no other thread and no timer of the library stands between the socket and us.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "saga/bus/nats_options.hpp"

namespace saga::bus {

class NatsLoop {
  public:
    using Steady = std::chrono::steady_clock::time_point;

    NatsLoop(Address address, std::string name);
    ~NatsLoop();
    NatsLoop(const NatsLoop&) = delete;
    NatsLoop& operator=(const NatsLoop&) = delete;

    enum class Change : std::uint8_t { none, connected, disconnected };
    /// Reads what the socket has, and connects anew where there is no connection. After `connected`
    /// the connection is new: no subscription of an earlier one exists.
    Change poll(Steady now);
    void drop(const std::string& why);  ///< The next poll() says disconnected.
    void flush();
    /// Until the socket can be read, wake(), or `until`.
    void wait(Steady until);
    void wake();  ///< From any thread, and from a signal handler.

    natsConnection* connection() const { return connection_.get(); }
    std::string url() const;
    const std::string& why() const { return why_; }  ///< Why there is no connection.
    /// What the broker forbade since the last call.
    std::vector<std::string> take_denied();

  private:
    static natsStatus attach(void** data, void* loop, natsConnection* connection, natsSock socket);
    static natsStatus want_read(void* data, bool on);
    static natsStatus want_write(void* data, bool on);
    static natsStatus detach(void* data);
    static void failed(natsConnection* connection, natsSubscription* subscription,
                       natsStatus status, void* number);
    void connect();
    bool readable() const;
    void close();

    Address address_;
    std::string name_;
    std::uintptr_t number_ = 0;  ///< by which nats.c's own thread finds it
    int wake_ = -1;
    int socket_ = -1;
    std::atomic<bool> writes_ = false;
    Nats<natsConnection> connection_;
    std::string why_ = "not connected yet";
    bool dropped_ = false;

    std::thread connecting_;
    std::mutex mutex_;  // what other threads leave for poll()
    std::optional<std::pair<natsConnection*, std::string>> connected_;
    std::vector<std::string> denied_;
    bool busy_ = false;
    int attempts_ = 0;
    Steady next_attempt_{};
};

}  // namespace saga::bus
