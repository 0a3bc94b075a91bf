// What calls ask: an outside system that knows its keys, and can fall silent.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "saga/bus/nats_client.hpp"
#include "tests/integration/instance.hpp"

namespace saga::testing {

/// Does each piece of work once, by its key, whether or not anybody hears the answer. Any thread.
class Outside {
  public:
    /// For services in the test's own thread: while it is silent, their attempts fail at once.
    runtime::Ask ask();
    /// For processes: answers on the broker, or says nothing.
    void serve(const Broker& broker);

    /// Whoever asks on `subject` hears nothing, though the work is done.
    void silence(const std::string& subject);
    /// Whoever asks on `subject` hears it when speak() is said.
    void hold(const std::string& subject);
    void speak();
    void say(std::string verdict);  ///< "sound" at first

    int asked(const std::string& subject) const;         ///< how often, in all
    std::size_t done(const std::string& subject) const;  ///< under how many keys
    std::vector<std::string> order() const;              ///< the subject of each piece of work

  private:
    std::optional<std::vector<std::byte>> answer(const std::string& subject, std::string key);

    mutable std::mutex mutex_;
    std::string verdict_ = "sound";
    std::condition_variable spoken_;
    std::set<std::string> silent_, held_;
    std::map<std::string, int> asked_;
    std::map<std::string, std::set<std::string>> keys_;
    std::vector<std::string> order_;
    std::unique_ptr<bus::NatsClient> client_;  // last: its thread ends first
};

}  // namespace saga::testing
