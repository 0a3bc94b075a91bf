// A connection for programs that ask and wait: clients, calls, the command line.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "saga/bus/bus.hpp"
#include "saga/bus/nats_options.hpp"

namespace saga::bus {

/// No answer came. `trouble` says what is known of it.
class NoAnswer : public Error {
  public:
    NoAnswer(Trouble why, const std::string& text) : Error(text), trouble(why) {}
    Trouble trouble;
};

/// Any thread. Connects again by itself; what was asked while it was away is not sent later.
class NatsClient {
  public:
    /// Throws Error, in one sentence, when no server answers.
    NatsClient(const Address& address, const std::string& name);
    ~NatsClient();
    NatsClient(const NatsClient&) = delete;
    NatsClient& operator=(const NatsClient&) = delete;

    /// The answer's body, 8-byte aligned. Throws NoAnswer.
    std::vector<std::byte> request(const std::string& subject, Bytes body,
                                   std::chrono::milliseconds timeout,
                                   const core::Headers& headers = {});
    std::string request_text(const std::string& subject, std::string_view body,
                             std::chrono::milliseconds timeout);
    /// Every answer that comes within `wait`: of a subject that many listen to.
    std::vector<std::string> request_many(const std::string& subject, std::string_view body,
                                          std::chrono::milliseconds wait);

    /// Answers requests on `subject`, shared with others that do so, one after the other on one
    /// thread, until the client goes. No value: no answer.
    using Handler =
        std::function<std::optional<std::vector<std::byte>>(std::string_view key, Bytes question)>;
    void serve(const std::string& subject, Handler handler);

    natsConnection* raw() const { return connection_.get(); }

  private:
    struct Served;
    Nats<natsConnection> connection_;
    std::vector<std::unique_ptr<Served>> served_;
};

}  // namespace saga::bus
