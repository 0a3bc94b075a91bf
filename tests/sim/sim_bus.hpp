// The port to the broker on the model of it.
#pragma once

#include <deque>
#include <map>

#include "tests/sim/broker.hpp"
#include "tests/sim/life.hpp"

namespace saga::sim {

/// Behaves towards its listener as bus::NatsBus does. Everything sent counts as an act of `life`.
class SimBus final : public bus::Bus {
  public:
    /// `wake`: something has come, poll() is wanted.
    SimBus(Schedule& schedule, Broker& broker, Net& net, Life& life, std::function<void()> wake);
    ~SimBus() override;
    SimBus(const SimBus&) = delete;
    SimBus& operator=(const SimBus&) = delete;

    void poll(bus::Listener& listener, Steady now) override;
    void wait(Steady) override {}  // a simulator never waits: next_due() says when to poll again
    void wake() override { wake_(); }
    std::string trouble() const override { return up_ ? "" : "no connection"; }
    void flush() override;
    /// When something that was asked times out, or a connection is tried again.
    Steady next_due() const;
    /// The connection breaks, as if by a reset.
    void snap();

    void stream_info(bus::Done<bus::StreamInfo> done) override;
    void message_at(std::uint64_t seq, bus::Done<bus::StoredMessage> done) override;
    void create_consumer(const bus::ConsumerSpec& spec,
                         bus::Done<bus::ConsumerState> done) override;
    void delete_consumer(const std::string& name, bus::Done<std::monostate> done) override;
    void consumer_state(const std::string& name, bus::Done<bus::ConsumerState> done) override;
    void pull(const std::string& consumer, std::uint64_t pull, const bus::PullSpec& spec) override;
    void publish(bus::Channel channel, std::uint64_t token, const std::string& subject,
                 const core::Headers& headers, Bytes body) override;
    void get(const std::string& bucket, const std::string& key,
             bus::Done<std::optional<bus::Entry>> done) override;
    void put(const std::string& bucket, const std::string& key, const std::string& value,
             std::optional<std::uint64_t> revision, bus::Done<std::uint64_t> done) override;
    void listen(std::vector<std::string> subjects) override;
    void unlisten() override;
    void answer(const std::string& reply, std::string_view body,
                const core::Headers& headers) override;
    void ask(const std::string& subject, const core::Headers& headers, std::string_view body,
             std::chrono::milliseconds timeout, bus::Done<std::string> done) override;

  private:
    using Event = std::function<void(bus::Listener&)>;
    struct Asked {
        std::function<void(const bus::Problem&)> failed;
        Steady until;
    };
    struct Inbox {
        std::deque<Event> arrived;
        bool broke = false;
    };

    void connect();
    void drop();
    void expire();
    void fail_all(const bus::Problem& problem);
    void send(Wire::Frame frame);
    /// At the client's end of the wire, unless the connection has ended meanwhile.
    std::function<void(Event)> arrival();
    template <class T>
    void ask_broker(std::function<Broker::Answer<T>(Broker&)> op, bus::Done<T> done);
    template <class T>
    void answered(std::uint64_t token, const bus::Result<T>& result, const bus::Done<T>& done);

    Schedule& schedule_;
    Broker& broker_;
    Net& net_;
    Life& life_;
    std::function<void()> wake_;
    std::shared_ptr<Wire> wire_;
    std::shared_ptr<Inbox> inbox_;  // of this connection
    bool up_ = false;
    Steady now_{}, heard_{}, next_connect_{}, connecting_until_{};
    std::deque<Wire::Frame> outgoing_;
    std::map<std::uint64_t, Asked> open_;
    std::uint64_t last_token_ = 0, generation_ = 0;
    std::vector<std::string> listens_;
};

}  // namespace saga::sim
