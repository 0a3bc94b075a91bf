// The port to the broker: what the engine needs of JetStream, and nothing more. nats_bus.cpp stands
// behind it in life, testing/sim_bus.cpp in simulation; one conformance suite runs on both.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "saga/core/envelope.hpp"
#include "saga/core/history.hpp"
#include "saga/core/limits.hpp"

namespace saga::bus {

using core::StoreTime;
using Steady = std::chrono::steady_clock::time_point;

enum class Trouble : std::uint8_t {
    disconnected,   ///< whether it was heard is unknown
    timeout,        ///< likewise
    no_responders,  ///< nobody listens there: no JetStream, no such consumer, no such service
    refused,        ///< the broker says no: `code` is its err_code
};
struct Problem {
    Trouble trouble = Trouble::refused;
    int code = 0;
    std::string text;
};
/// Who was asked said nothing, or is not there.
inline bool is_silence(const Problem& problem) {
    return problem.trouble == Trouble::timeout || problem.trouble == Trouble::no_responders;
}
template <class T>
using Result = std::variant<T, Problem>;
/// Called from poll(), once, on the polling thread. Told of an answer it may throw: so does poll(),
/// and what else has come waits for the next one. Told of a Problem it must not.
template <class T>
using Done = std::function<void(Result<T>)>;

struct Server {
    std::string url;  ///< of the one that we are connected to, without secrets
};

struct StoredMessage {
    std::string subject;
    std::vector<std::byte> bytes;
    std::uint64_t seq = 0;
    StoreTime stored_at;
};

struct StreamInfo {
    core::StreamState state;
    std::string config;  ///< JSON, as the broker echoes it
};

struct ConsumerSpec {
    std::string name;
    /// Servers before 2.10 know no list of them and deliver everything: the reader looks again.
    std::vector<std::string> filters;
    std::uint64_t start_seq = 1;
    std::chrono::nanoseconds inactive = core::kConsumerInactive;  ///< then the broker forgets it
};
struct PullSpec {
    int batch = 1;
    /// Of subjects, headers and bodies; 0: no bound. A request that comes to its last byte exactly
    /// ends, and no server says so.
    std::size_t max_bytes = 0;
    std::chrono::nanoseconds expires{}, heartbeat{};
};
struct ConsumerState {
    std::uint64_t delivered = 0;  ///< messages that this consumer has delivered
    std::uint64_t pending = 0;    ///< that match and wait in the stream
};

struct PubAck {
    std::uint64_t seq = 0;
    bool duplicate = false;
};

/// A value of a KV bucket. Values are JSON text, so that `nats kv get` shows them.
struct Entry {
    std::string value;
    std::uint64_t revision = 0;
    StoreTime stored_at;
};

struct Request {
    std::string subject;
    std::string reply;
    std::vector<std::byte> body;
};

/// How a pull request ended.
struct PullEnd {
    /// Of the messages that it asked for, so many do not come; none: not one of them.
    std::optional<std::uint64_t> left;
    /// The next message has more bytes than the request had left.
    bool too_large = false;
};

/// Where a publication goes: its PubAcks and refusals come back under the same word.
enum class Channel : std::uint8_t { events, letters };

/// Called from poll(), on the polling thread.
class Listener {
  public:
    virtual ~Listener() = default;
    virtual void connected(const Server& server) = 0;
    /// All that was asked and not answered is answered with Trouble::disconnected first.
    virtual void disconnected(std::string_view why) = 0;
    /// The broker forbids what a service needs; nothing helps but other permissions.
    virtual void denied(std::string_view what) = 0;

    /// A message for our consumer, the `nth` that it delivers; `pending` match and follow.
    virtual void delivered(StoredMessage message, std::uint64_t nth, std::uint64_t pending) = 0;
    /// The consumer has delivered `nth` messages and looked at the stream up to `stream_seq`.
    virtual void heartbeat(std::uint64_t nth, std::uint64_t stream_seq) = 0;
    /// The pull request `pull` is spent before all it asked for was delivered.
    virtual void pull_ended(std::uint64_t pull, const PullEnd& end) = 0;
    /// The consumer is gone, or was never there.
    virtual void consumer_lost(std::string_view why) = 0;

    virtual void acked(Channel channel, std::uint64_t token, const PubAck& ack) = 0;
    /// What was on its way there may or may not be stored.
    virtual void refused(Channel channel, const Problem& problem) = 0;

    virtual void requested(Request request) = 0;
};

/// One thread, but for wake(). Connects by itself, again and again; nothing of an old connection
/// lives on in a new one.
class Bus {
  public:
    virtual ~Bus() = default;

    /// Hands over what has come, and lets asked things time out; does not wait.
    virtual void poll(Listener& listener, Steady now) = 0;
    /// Waits until something has come, wake() was called, or `until`.
    virtual void wait(Steady until) = 0;
    virtual void wake() = 0;  ///< From any thread, and from a signal handler.
    /// Why there is no connection; empty while there is one.
    virtual std::string trouble() const = 0;
    /// Sends what was asked for: nothing leaves before.
    virtual void flush() = 0;

    // The stream SAGA.
    virtual void stream_info(Done<StreamInfo> done) = 0;
    /// Without deleted messages there is one, or a Problem with code 10037.
    virtual void message_at(std::uint64_t seq, Done<StoredMessage> done) = 0;

    // Our consumer of it: ordered, without acks, in the broker's memory.
    virtual void create_consumer(const ConsumerSpec& spec, Done<ConsumerState> done) = 0;
    virtual void delete_consumer(const std::string& name, Done<std::monostate> done) = 0;
    virtual void consumer_state(const std::string& name, Done<ConsumerState> done) = 0;
    /// Messages of it and heartbeats come to the listener; `pull` names the request.
    virtual void pull(const std::string& consumer, std::uint64_t pull, const PullSpec& spec) = 0;

    virtual void publish(Channel channel, std::uint64_t token, const std::string& subject,
                         const core::Headers& headers, Bytes body) = 0;

    // Buckets. Revision 0: the key is to be new.
    virtual void get(const std::string& bucket, const std::string& key,
                     Done<std::optional<Entry>> done) = 0;
    /// Problem code 10071: another revision stands there.
    virtual void put(const std::string& bucket, const std::string& key, const std::string& value,
                     std::optional<std::uint64_t> revision, Done<std::uint64_t> done) = 0;

    // Requests, to us and by us. Subjects are listened to until unlisten() or the connection's end.
    virtual void listen(std::vector<std::string> subjects) = 0;
    virtual void unlisten() = 0;
    virtual void answer(const std::string& reply, std::string_view body,
                        const core::Headers& headers) = 0;
    virtual void ask(const std::string& subject, const core::Headers& headers,
                     std::string_view body, std::chrono::milliseconds timeout,
                     Done<std::string> done) = 0;
};

}  // namespace saga::bus
