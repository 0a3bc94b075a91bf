// A model of nats-server with JetStream, as far as the port saga/bus/bus.hpp reaches. The suite
// `conformance` runs the same scripts on it and on real servers.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/wire.hpp"

namespace saga::sim {

using bus::Problem;
using bus::Result;

/// A file-backed stream of one server. Sequences are used again after its tail was lost.
struct Stream {
    struct Message {
        std::string subject, id;
        std::vector<std::byte> bytes;
        core::StoreTime stored_at;
    };
    std::string name, config;
    std::string prefix;           ///< of its subjects
    std::size_t max_message = 0;  ///< bytes of headers and body; 0: no limit
    core::StoreTime created;
    std::uint64_t first_seq = 1, last_seq = 0;
    std::map<std::uint64_t, Message> messages;

    std::vector<std::uint64_t> holes() const;
};

/// What a pull request's owner is told, at the broker's end of its wire.
struct Sink {
    std::shared_ptr<Wire> wire;
    std::function<void(bus::StoredMessage, std::uint64_t nth, std::uint64_t pending)> delivered;
    std::function<void(std::uint64_t nth, std::uint64_t seq)> heartbeat;
    std::function<void(bus::PullEnd)> ended;
    std::function<void(std::string why)> lost;
};

/// Everything here happens at the broker, at the schedule's time. One thread.
class Broker {
  public:
    struct Options {
        /// False: as servers before 2.10. Several filters are ignored; a request to a consumer or
        /// a bucket that is not there has no answer at all.
        bool filters = true;
        Duration dedupe_window = std::chrono::minutes(2);
        Duration max_age = core::kStreamMaxAge;
    };
    explicit Broker(Schedule& schedule) : Broker(schedule, Options{}) {}
    Broker(Schedule& schedule, Options options);
    ~Broker();
    Broker(const Broker&) = delete;
    Broker& operator=(const Broker&) = delete;

    bool up() const { return up_; }
    void make_assets();  ///< As `saga bootstrap`: what is there stays.

    // ---- what befalls it
    void kill();         ///< Consumers, which live in its memory, and connections are gone.
    void lose_leader();  ///< One node of a cluster: its consumers are gone, connections stay.
    void start();        ///< Remembers for its dedupe window what it has stored.
    /// While it is down: its newest messages were not on the disk yet.
    void lose_tail(std::uint64_t messages);
    struct Image;
    std::shared_ptr<const Image> save() const;
    void restore(const std::shared_ptr<const Image>& image);  ///< While it is down.
    void wipe();                          ///< While it is down: its whole store.
    void remove(std::uint64_t seq);       ///< A hole in SAGA.
    void purge_below(std::uint64_t seq);  ///< SAGA begins there.
    void delete_stream();                 ///< SAGA; made anew by make_assets().
    void delete_consumer_of(const std::string& name);
    void snap_all();                                      ///< Every connection breaks.
    void set_full(bool full) { full_ = full; }            ///< SAGA refuses what is new.
    void set_unavailable(bool on) { unavailable_ = on; }  ///< Its API answers nothing.

    const Stream* stream(std::string_view name) const;
    std::uint64_t duplicates() const { return duplicates_; }  ///< Publications it knew already.
    /// Of everything that was ever stored, and when: equal for equal runs.
    std::uint64_t trace() const { return trace_; }

    // ---- from a wire
    void connect(const std::shared_ptr<Wire>& wire);
    /// None: nobody answers, in time or at all.
    template <class T>
    using Answer = std::optional<Result<T>>;
    Answer<bus::StreamInfo> stream_info();
    Answer<bus::StoredMessage> message_at(std::uint64_t seq);
    Answer<bus::ConsumerState> create_consumer(const bus::ConsumerSpec& spec);
    Answer<std::monostate> delete_consumer(const std::string& name);
    Answer<bus::ConsumerState> consumer_state(const std::string& name);
    void pull(const std::string& consumer, const bus::PullSpec& spec, Sink sink);
    Answer<bus::PubAck> publish(const std::string& subject, const core::Headers& headers,
                                Bytes body);
    Answer<std::optional<bus::Entry>> get(const std::string& bucket, const std::string& key);
    Answer<std::uint64_t> put(const std::string& bucket, const std::string& key,
                              const std::string& value, std::optional<std::uint64_t> revision);

    using OnRequest = std::function<void(bus::Request)>;
    void listen(const std::shared_ptr<Wire>& wire, const std::string& subject, OnRequest asked);
    void unlisten(const std::shared_ptr<Wire>& wire);
    /// Whether somebody listens. The answer, if one comes, comes to `answered`.
    bool request(const std::string& subject, std::string_view body,
                 std::function<void(std::string)> answered);
    void answer(const std::string& reply, std::string_view body);

  private:
    struct Bucket;
    struct Consumer;
    struct Listening {
        std::shared_ptr<Wire> wire;
        std::string subject;
        OnRequest asked;
    };
    struct Store;

    core::StoreTime stamp();
    void trace(std::string_view word, std::uint64_t number);
    Stream* find(std::string_view name);
    void expire(Stream& stream);
    void remember(const Stream& stream);
    void know(const std::string& id, std::uint64_t seq, Steady since);
    void forget_known();
    bool wants(const Consumer& consumer, std::string_view subject) const;
    void serve(const std::shared_ptr<Consumer>& consumer);
    void watch(const std::shared_ptr<Consumer>& consumer);
    void end_expired(Consumer& consumer);
    void forget_idle();
    void lose(const std::string& consumer, const std::string& why);

    Schedule& schedule_;
    Options options_;
    std::unique_ptr<Store> store_;
    bool up_ = true, full_ = false, unavailable_ = false;
    core::StoreTime last_stamp_{};
    std::map<std::string, std::pair<std::uint64_t, Steady>> stored_;  // ids in the dedupe window
    std::deque<std::pair<Steady, std::string>> stored_since_;         // and when they leave it
    std::map<std::string, std::shared_ptr<Consumer>> consumers_;
    std::vector<std::weak_ptr<Wire>> wires_;
    std::vector<Listening> listening_;
    std::map<std::string, std::function<void(std::string)>> inboxes_;
    std::uint64_t last_inbox_ = 0, duplicates_ = 0, trace_ = 0xcbf29ce484222325ULL;
};

/// As NATS: `*` is one token, `>` at the end is one or more.
bool matches(std::string_view filter, std::string_view subject);

}  // namespace saga::sim
