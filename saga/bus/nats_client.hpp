// A connection for programs that ask and wait: clients, calls, the command line.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
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

/// Any thread. Connects again by itself, also to a broker that refused it for a while; what was
/// asked while it was away is not sent later.
class NatsClient {
  public:
    /// Throws Error, in one sentence, when no server answers.
    NatsClient(const Address& address, std::string name);
    ~NatsClient();
    NatsClient(const NatsClient&) = delete;
    NatsClient& operator=(const NatsClient&) = delete;

    /// The answer's body, 8-byte aligned. Throws NoAnswer.
    std::vector<std::byte> request(const std::string& subject, Bytes body,
                                   std::chrono::milliseconds timeout,
                                   const core::Headers& headers = {});
    std::string request_text(const std::string& subject, std::string_view body,
                             std::chrono::milliseconds timeout);
    /// The answer of whoever it is asked of; of a service that runs in shards, one of each, in
    /// their order. Throws NoAnswer, also when some stay silent.
    std::vector<std::string> request_all(const std::string& subject, std::string_view body,
                                         std::chrono::milliseconds timeout);
    /// Every answer that comes within `wait`: of a subject that many listen to.
    std::vector<std::string> request_many(const std::string& subject, std::string_view body,
                                          std::chrono::milliseconds wait);

    /// What was asked, and whom the answer goes to.
    struct Question {
        std::string key;  ///< of the header Idempotency-Key
        std::vector<std::byte> body;
        std::string reply;
    };
    /// One answer a question, in their order; none: silence.
    using Handler = std::function<std::vector<std::optional<std::vector<std::byte>>>(
        std::span<const Question>)>;
    /// Answers requests on `subject`, shared with others that do so, until the client goes. One
    /// thread for all subjects; a call gets what has come meanwhile, at most `most`. A handler that
    /// throws leaves all of them unanswered. When it returns, the broker knows of it, unless none
    /// has answered for 5 s: then it will once it is back.
    void serve(const std::string& subject, std::size_t most, Handler handler);

  private:
    class Counter;
    class Poll;
    using Connection = std::shared_ptr<natsConnection>;
    Connection connection();

    const Address address_;
    const std::string name_;
    std::mutex mutex_;
    Connection connection_;
    std::chrono::steady_clock::time_point anew_{};  // when it may be made anew, if it is closed
    std::unique_ptr<Counter> counter_;
};

}  // namespace saga::bus
