// Services inside the test's own thread, each on a real broker: what they do is driven, not waited
// for, so that a test can look between any two turns.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <saga/service.hpp>
#include <string>
#include <vector>

#include "saga/bus/nats_bus.hpp"
#include "saga/runtime/key_file.hpp"
#include "saga/runtime/node.hpp"
#include "tests/integration/broker.hpp"

namespace saga::testing {

/// A clock whose hands the test can move: both go at their natural pace from there.
class ShiftedClock final : public runtime::Clock {
  public:
    Time now() override { return system_.now() + shift_; }
    Steady steady() override { return system_.steady() + ahead_; }
    void jump(std::chrono::seconds by) { shift_ += by; }
    /// As if so much time had passed here; connections look dead after it, and are made anew.
    void advance(std::chrono::seconds by) { ahead_ += by; }

  private:
    runtime::SystemClock system_;
    std::chrono::seconds shift_{0}, ahead_{0};
};

/// Performs calls at once, inside the turn that starts them.
class InlineCaller final : public runtime::Caller {
  public:
    explicit InlineCaller(runtime::Ask ask) : ask_(std::move(ask)) {}
    void start(runtime::CallJob job) override {
        results_.push_back(runtime::perform(job, {}, ask_));
    }
    std::size_t room(const detail::Code&) const override { return 16; }
    std::vector<runtime::CallResult> take() override { return std::exchange(results_, {}); }

  private:
    runtime::Ask ask_;
    std::vector<runtime::CallResult> results_;
};

class Instance {
  public:
    struct Options {
        bool rebuild = false, accept_history_loss = false;
        runtime::Worker::Options worker{};
        runtime::Pruner::Horizons horizons{};
        runtime::Ask ask = {};  ///< what calls are answered; empty: nobody answers
        std::uint64_t reserve_bytes = 0;
        std::string contract = {};
        std::string user = {};  ///< of the broker; its password is the same
    };
    /// On `folder`/<service>.db, with its shard, and .key.
    Instance(Service service, std::string folder, std::string url, Options options);
    Instance(Service service, std::string folder, std::string url)
        : Instance(std::move(service), std::move(folder), std::move(url), Options{}) {}
    ~Instance();
    Instance(const Instance&) = delete;
    Instance& operator=(const Instance&) = delete;

    void turn();  ///< One round; does not wait.
    void stop();  ///< Drains, and ends cleanly.
    void kill();  ///< As if by -9: nothing is said to anybody.
    bool running() const { return node_ != nullptr; }
    bool ready() const { return node_ && node_->ready(); }
    runtime::Node& node() { return *node_; }
    ShiftedClock& clock() { return clock_; }
    store::Store& store() { return *store_; }
    /// What ended it, if something did.
    const std::string& failure() const { return failure_; }
    /// Why it is not ready, for a test that waits in vain.
    std::string state() const { return node_ ? node_->trouble() : "ended: " + failure_; }
    std::int64_t value(std::string_view select);

  private:
    Service service_;
    Options options_;
    ShiftedClock clock_;
    runtime::SystemRandom random_;
    std::unique_ptr<store::Store> store_;
    std::optional<core::IdKey> key_;
    std::unique_ptr<bus::NatsBus> bus_;
    std::unique_ptr<InlineCaller> caller_;
    std::unique_ptr<runtime::Node> node_;
    std::string failure_;
};

/// Turns all of them until `met`, within `limit`.
bool drive(const std::vector<Instance*>& instances, const std::function<bool()>& met,
           std::chrono::milliseconds limit = std::chrono::seconds(20));

}  // namespace saga::testing
