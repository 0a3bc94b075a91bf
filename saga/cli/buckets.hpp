// Key-value buckets, as an operator's tool reads and writes them.
#pragma once

#include <string>
#include <string_view>

#include "saga/cli/command.hpp"
#include "saga/view/bucket.hpp"
#include "saga/view/json.hpp"

namespace saga::cli {

class Bucket : public view::Bucket {
  public:
    /// `name` as `nats kv ls` shows it. Reading and writing throw Stop when the broker refuses.
    Bucket(bus::NatsClient& client, std::string_view name, std::chrono::milliseconds timeout);

    void put(const std::string& key, const std::string& value) const;
    /// As `nats kv del`: a marker takes its place.
    void remove(const std::string& key) const;

  private:
    bus::NatsClient& client_;
    std::chrono::milliseconds timeout_;
};

}  // namespace saga::cli
