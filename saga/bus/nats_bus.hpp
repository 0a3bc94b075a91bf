// The port on a real nats-server, through nats.c.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "saga/bus/bus.hpp"
#include "saga/bus/nats_loop.hpp"
#include "saga/bus/nats_spent.hpp"

namespace saga::bus {

class NatsBus final : public Bus {
  public:
    /// `name`, of a service, names the connection, and the inboxes where the address does not;
    /// `nonce` (128 random bits as text) makes them unguessable, since a server sends a PubAck to
    /// whatever reply subject a publisher names.
    NatsBus(const Address& address, const std::string& name, const std::string& nonce);
    ~NatsBus() override;
    NatsBus(const NatsBus&) = delete;
    NatsBus& operator=(const NatsBus&) = delete;

    void poll(Listener& listener, Steady now) override;
    void wait(Steady until) override;
    void wake() override { loop_.wake(); }
    void flush() override { loop_.flush(); }
    std::string trouble() const override { return up_ ? std::string() : loop_.why(); }

    void stream_info(Done<StreamInfo> done) override;
    void message_at(std::uint64_t seq, Done<StoredMessage> done) override;
    void create_consumer(const ConsumerSpec& spec, Done<ConsumerState> done) override;
    void delete_consumer(const std::string& name, Done<std::monostate> done) override;
    void consumer_state(const std::string& name, Done<ConsumerState> done) override;
    void pull(const std::string& consumer, std::uint64_t pull, const PullSpec& spec) override;
    void publish(Channel channel, std::uint64_t token, const std::string& subject,
                 const core::Headers& headers, Bytes body) override;
    void get(const std::string& bucket, const std::string& key,
             Done<std::optional<Entry>> done) override;
    void put(const std::string& bucket, const std::string& key, const std::string& value,
             std::optional<std::uint64_t> revision, Done<std::uint64_t> done) override;
    void listen(std::vector<std::string> subjects) override;
    void unlisten() override;
    void answer(const std::string& reply, std::string_view body,
                const core::Headers& headers) override;
    void ask(const std::string& subject, const core::Headers& headers, std::string_view body,
             std::chrono::milliseconds timeout, Done<std::string> done) override;

  private:
    /// An answer's message, or why there is none.
    using Answered = std::function<void(natsMsg*, const Problem*)>;
    struct Asked {
        Answered answered;
        Steady until;
    };
    /// Requests whose answers come to one inbox. A server's "nobody listens" comes without the
    /// subject that it is about, so it is taken for all that are open in the same box.
    struct Box {
        std::string name;
        Nats<natsSubscription> subscription;
        std::map<std::uint64_t, Asked> open;
    };

    void connected(Listener& listener);
    void disconnected(Listener& listener);
    Nats<natsSubscription> subscribe(const std::string& subject);
    std::string inbox(std::string_view box) const;
    /// Whether there is a message; `nobody`: the server says that nobody listens.
    bool next(const Nats<natsSubscription>& subscription, Nats<natsMsg>& message, bool& nobody);

    void drain_messages(Listener& listener);
    void status(Listener& listener, natsMsg* message);
    void drain_acks(Listener& listener, Channel channel, const Nats<natsSubscription>& inbox);
    void open(Box& box);
    void drain_box(Box& box);
    void drain_requests(Listener& listener);
    bool is_inbox(std::string_view subject) const;
    bool concerns_asked(std::string_view denied);
    void expire(Box& box);
    void fail_all(Box& box, const Problem& problem);

    void request(Box& box, const std::string& subject, std::string_view body,
                 std::chrono::milliseconds timeout, const core::Headers& headers,
                 Answered answered);
    Box& box_of(const std::string& asked);
    void api(const std::string& subject, const std::string& body,
             std::function<void(Result<std::string_view>)> done);
    void send(const std::string& subject, const std::string& reply, Bytes body,
              const core::Headers& headers);

    /// now_ is of when a turn began, by the caller's clock; the turn may take long.
    void begin_turn(Steady now) {
        now_ = now;
        ahead_ = now - std::chrono::steady_clock::now();
    }
    Steady present() const { return std::chrono::steady_clock::now() + ahead_; }

    NatsLoop loop_;
    std::string own_prefix_, prefix_;
    Steady now_{}, heard_{};
    Steady::duration ahead_{};  ///< of the caller's clock
    bool up_ = false;
    std::uint64_t last_token_ = 0, generation_ = 0;
    Nats<natsSubscription> messages_, event_acks_, letter_acks_;
    Box api_{"r", nullptr, {}};
    std::map<std::string, Box> boxes_;  ///< by subject, or by bucket: one may be missing
    std::vector<Nats<natsSubscription>> requests_;
    Spent spent_;
};

}  // namespace saga::bus
