// JetStream's requests and answers as text: pure, so that they are tested without a broker.
// Sources: nats-server 2.9.10 to 2.15, server/jetstream_api.go and ADR-13, ADR-37.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "saga/bus/bus.hpp"

namespace saga::bus {

/// What stands in the reply subject of a delivered message, in both of its forms:
/// $JS.ACK.<stream>.<consumer>.<deliveries>.<stream seq>.<nth>.<ns>.<pending>, and since 2.14 with
/// a domain and an account's hash behind $JS.ACK.
struct AckTokens {
    std::uint64_t seq = 0, nth = 0, pending = 0;
    StoreTime stored_at;
};
std::optional<AckTokens> parse_ack_subject(std::string_view reply);

std::string create_consumer_subject(const ConsumerSpec& spec);
std::string create_consumer_body(const ConsumerSpec& spec);
std::string pull_body(const PullSpec& spec);

/// Each answer is a value or {"error": {"code", "err_code", "description"}}.
Result<ConsumerState> read_consumer(std::string_view json);
Result<StreamInfo> read_stream_info(std::string_view json);
Result<StoredMessage> read_message(std::string_view json);
Result<PubAck> read_pub_ack(std::string_view json);
Result<std::monostate> read_success(std::string_view json);

/// What a server does not permit to publish, by its words (PermissionViolation in its client.go):
/// "Permissions Violation for Publish to \"SUBJECT\""; empty: it says another thing.
std::string_view refused_subject(std::string_view words);

/// 2026-01-31T12:00:00.123456789Z, with any number of digits of a fraction.
std::optional<StoreTime> parse_time(std::string_view rfc3339);

}  // namespace saga::bus
