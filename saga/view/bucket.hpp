// Key-value buckets, read from outside.
#pragma once

#include <functional>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "saga/bus/nats_client.hpp"

namespace saga::view {

/// One request of JetStream's API: its subject and body. What the broker answers; null where it
/// says that there is no such thing. Throws Error when it refuses, or does not answer.
using Api = std::function<nlohmann::json(const std::string& subject, const std::string& body)>;

/// As Api does, over a client. Throws NoAnswer of silence, Error with the broker's own words.
nlohmann::json ask_api(bus::NatsClient& client, const std::string& subject, const std::string& body,
                       std::chrono::milliseconds timeout);

class Bucket {
  public:
    /// `name` as `nats kv ls` shows it. What is below throws what `api` throws.
    Bucket(Api api, std::string_view name) : api_(std::move(api)), name_(name) {}

    /// Empty also where there is no bucket, or the key was deleted.
    std::optional<std::string> get(const std::string& key) const;
    /// Every key with its value.
    std::map<std::string, std::string> all() const;

  protected:
    const Api& api() const { return api_; }
    const std::string& name() const { return name_; }

  private:
    bool has_something() const;
    std::optional<std::string> value(const std::string& key) const;
    Api api_;
    std::string name_;
};

}  // namespace saga::view
