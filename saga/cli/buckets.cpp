#include "saga/cli/buckets.hpp"

namespace saga::cli {

Bucket::Bucket(bus::NatsClient& client, std::string_view name, std::chrono::milliseconds timeout)
    : view::Bucket(
          [&client, timeout](const std::string& subject, const std::string& body) {
              return api_or_null(client, subject, body, timeout);
          },
          name),
      client_(client),
      timeout_(timeout) {}

void Bucket::put(const std::string& key, const std::string& value) const {
    const auto ack = api()(fmt::format("$KV.{}.{}", name(), key), value);
    if (!ack.is_object())
        throw Stop(kError, fmt::format("cannot write {} into the bucket {}", key, name()));
}

void Bucket::remove(const std::string& key) const {
    try {
        client_.request(fmt::format("$KV.{}.{}", name(), key), {}, timeout_,
                        {{"KV-Operation", "DEL"}});
    } catch (const bus::NoAnswer& none) {
        throw Stop(kUnreachable, none.what());
    }
}

}  // namespace saga::cli
