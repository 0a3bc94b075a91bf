// Performs calls outside the worker's thread, and outside any transaction.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <saga/call.hpp>
#include <string>
#include <vector>

#include "saga/bus/bus.hpp"
#include "saga/runtime/worker.hpp"

namespace saga::runtime {

struct CallJob {
    std::int64_t call = 0;
    const detail::Code* code = nullptr;
    std::vector<std::byte> question;
    std::string key;
    int attempt = 1;
};

/// Asks over NATS and waits: from any thread. Throws Error.
using Ask =
    std::function<std::vector<std::byte>(std::string_view subject, Bytes question,
                                         std::string_view key, std::chrono::milliseconds timeout)>;

class Caller {
  public:
    virtual ~Caller() = default;
    virtual void start(CallJob job) = 0;
    /// How many more like it may be started.
    virtual std::size_t room(const detail::Code& code) const = 0;
    virtual std::vector<CallResult> take() = 0;
};

/// One attempt, on whatever thread: what perform() answered, or why it is unknown.
CallResult perform(const CallJob& job,
                   const std::map<std::string, std::string, std::less<>>& settings, const Ask& ask);

/// A pool of threads that grows to `most`. `done` is called from them after each attempt.
class ThreadCaller final : public Caller {
  public:
    ThreadCaller(std::map<std::string, std::string, std::less<>> settings, Ask ask,
                 std::size_t most, std::function<void()> done);
    /// Waits for attempts that are being made: each ends by its timeout.
    ~ThreadCaller() override;
    ThreadCaller(const ThreadCaller&) = delete;
    ThreadCaller& operator=(const ThreadCaller&) = delete;
    void start(CallJob job) override;
    std::size_t room(const detail::Code& code) const override;
    std::vector<CallResult> take() override;

  private:
    struct Pool;
    std::unique_ptr<Pool> pool_;
};

/// Asks over the service's own connection where a call says no more than that: no thread waits.
/// What only a function can do goes to `others`.
class AskingCaller final : public Caller {
  public:
    AskingCaller(bus::Bus& bus, Caller& others) : bus_(bus), others_(others) {}
    void start(CallJob job) override;
    std::size_t room(const detail::Code& code) const override;
    std::vector<CallResult> take() override;

  private:
    bus::Bus& bus_;
    Caller& others_;
    std::size_t asked_ = 0;
    std::vector<CallResult> results_;
};

}  // namespace saga::runtime
