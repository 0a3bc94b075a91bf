#include "tests/sim/sim_bus.hpp"

#include <algorithm>

namespace saga::sim {
namespace {

using namespace std::chrono_literals;
using bus::Problem;
using bus::Trouble;

// As saga/bus/nats_bus.cpp and nats_loop.cpp have them.
constexpr auto kSilence = 15s;
constexpr auto kConnectPause = 100ms;
constexpr auto kConnectTimeout = 2s;

const Problem kNobody{Trouble::no_responders, 0, "nobody answers there: is JetStream on?"};
const Problem kDown{Trouble::disconnected, 0, "no connection"};

}  // namespace

SimBus::SimBus(Schedule& schedule, Broker& broker, Net& net, Life& life, std::function<void()> wake)
    : schedule_(schedule), broker_(broker), net_(net), life_(life), wake_(std::move(wake)) {}

SimBus::~SimBus() {
    if (!wire_) return;
    wire_->forget_client();
    wire_->snap();
}

// ---- the connection -----------------------------------------------------------------------------

void SimBus::poll(bus::Listener& listener, Steady now) {
    now_ = now;
    if (inbox_ && inbox_->broke) {
        const bool was_up = up_;
        drop();
        fail_all(kDown);
        if (was_up) listener.disconnected("the connection broke");
    }
    if (!wire_ && now_ >= next_connect_) connect();
    if (!inbox_) return;
    const std::shared_ptr<Inbox> inbox = inbox_;  // a listener may make us drop it
    while (inbox == inbox_ && !inbox->arrived.empty()) {
        const Event event = std::move(inbox->arrived.front());
        inbox->arrived.pop_front();
        heard_ = now_;
        event(listener);
    }
    expire();
    const bool silent = up_ ? now_ - heard_ > kSilence : now_ >= connecting_until_;
    if (inbox == inbox_ && silent) snap();
}

void SimBus::connect() {
    next_connect_ = now_ + kConnectPause;
    if (!broker_.up()) return;  // refused
    wire_ = std::make_shared<Wire>(schedule_, net_);
    inbox_ = std::make_shared<Inbox>();
    connecting_until_ = now_ + kConnectTimeout;
    wire_->on_break([inbox = inbox_, wake = wake_] {
        inbox->broke = true;
        wake();
    });
    const auto arrive = arrival();
    wire_->to_broker([this, wire = wire_, arrive, &broker = broker_] {
        if (!broker.up() || wire->broken()) return wire->snap();
        broker.connect(wire);
        wire->to_client([this, arrive] {
            arrive([this](bus::Listener& listener) {
                up_ = true;
                listener.connected({.url = "sim"});
            });
        });
    });
}

std::function<void(SimBus::Event)> SimBus::arrival() {
    return [inbox = inbox_, wake = wake_](Event event) {
        inbox->arrived.push_back(std::move(event));
        wake();
    };
}

void SimBus::snap() {
    if (wire_) wire_->snap();
}

void SimBus::drop() {
    up_ = false;
    wire_.reset();
    inbox_.reset();
    outgoing_.clear();
    listens_.clear();
    next_connect_ = now_ + kConnectPause;
}

void SimBus::fail_all(const Problem& problem) {
    for (auto& [token, asked] : std::exchange(open_, {})) asked.failed(problem);
}

void SimBus::expire() {
    const Problem late{Trouble::timeout, 0, "the broker did not answer in time"};
    for (auto each = open_.begin(); each != open_.end();) {
        if (now_ < each->second.until) {
            ++each;
            continue;
        }
        const auto failed = std::move(each->second.failed);
        open_.erase(each);
        failed(late);
        each = open_.begin();  // who was told may have asked again
    }
}

Steady SimBus::next_due() const {
    if (!wire_) return next_connect_;
    Steady next = up_ ? heard_ + kSilence + 1ms : connecting_until_;
    for (const auto& [token, asked] : open_) next = std::min(next, asked.until);
    return next;
}

// ---- what is sent -------------------------------------------------------------------------------

void SimBus::send(Wire::Frame frame) {
    if (up_) outgoing_.push_back(std::move(frame));
}

void SimBus::flush() {
    for (Wire::Frame& frame : std::exchange(outgoing_, {})) {
        if (!life_.act(Act::send)) return;
        wire_->to_broker([frame = std::move(frame), &broker = broker_] {
            if (broker.up()) frame();
        });
    }
}

template <class T>
void SimBus::answered(std::uint64_t token, const bus::Result<T>& result, const bus::Done<T>& done) {
    const auto asked = open_.find(token);
    if (asked == open_.end()) return;  // it came too late
    open_.erase(asked);
    done(result);
}

template <class T>
void SimBus::ask_broker(std::function<Broker::Answer<T>(Broker&)> op, bus::Done<T> done) {
    if (!up_) return done(kDown);
    const std::uint64_t token = ++last_token_;
    open_.emplace(
        token, Asked{[done](const Problem& problem) { done(problem); }, now_ + core::kApiTimeout});
    send([this, wire = wire_, arrive = arrival(), token, op = std::move(op), done,
          &broker = broker_] {
        const Broker::Answer<T> result = op(broker);
        if (!result) return;
        wire->to_client([this, arrive, token, result, done] {
            arrive([this, token, result, done](bus::Listener&) { answered(token, *result, done); });
        });
    });
}

void SimBus::stream_info(bus::Done<bus::StreamInfo> done) {
    ask_broker<bus::StreamInfo>([](Broker& broker) { return broker.stream_info(); },
                                std::move(done));
}

void SimBus::message_at(std::uint64_t seq, bus::Done<bus::StoredMessage> done) {
    ask_broker<bus::StoredMessage>([seq](Broker& broker) { return broker.message_at(seq); },
                                   std::move(done));
}

void SimBus::create_consumer(const bus::ConsumerSpec& spec, bus::Done<bus::ConsumerState> done) {
    ++generation_;
    ask_broker<bus::ConsumerState>([spec](Broker& broker) { return broker.create_consumer(spec); },
                                   std::move(done));
}

void SimBus::delete_consumer(const std::string& name, bus::Done<std::monostate> done) {
    ++generation_;
    ask_broker<std::monostate>([name](Broker& broker) { return broker.delete_consumer(name); },
                               std::move(done));
}

void SimBus::consumer_state(const std::string& name, bus::Done<bus::ConsumerState> done) {
    ask_broker<bus::ConsumerState>([name](Broker& broker) { return broker.consumer_state(name); },
                                   std::move(done));
}

void SimBus::pull(const std::string& consumer, std::uint64_t pull, const bus::PullSpec& spec) {
    const std::uint64_t mine = generation_;
    const auto tell = [this, wire = wire_, arrive = arrival(), mine](Event event) {
        wire->to_client([this, arrive, mine, event = std::move(event)] {
            arrive([this, mine, event](bus::Listener& listener) {
                if (mine == generation_) event(listener);
            });
        });
    };
    Sink sink{
        .wire = wire_,
        .delivered =
            [tell](bus::StoredMessage message, std::uint64_t nth, std::uint64_t pending) {
                tell([message = std::move(message), nth, pending](bus::Listener& listener) {
                    listener.delivered(message, nth, pending);
                });
            },
        .heartbeat =
            [tell](std::uint64_t nth, std::uint64_t seq) {
                tell([nth, seq](bus::Listener& listener) { listener.heartbeat(nth, seq); });
            },
        .ended =
            [tell, pull](const bus::PullEnd& end) {
                tell([pull, end](bus::Listener& listener) { listener.pull_ended(pull, end); });
            },
        .lost =
            [tell](const std::string& why) {
                tell([why](bus::Listener& listener) { listener.consumer_lost(why); });
            }};
    send([consumer, spec, sink = std::move(sink), &broker = broker_] {
        broker.pull(consumer, spec, sink);
    });
}

void SimBus::publish(bus::Channel channel, std::uint64_t token, const std::string& subject,
                     const core::Headers& headers, Bytes body) {
    send([wire = wire_, arrive = arrival(), channel, token, subject, headers,
          bytes = std::vector<std::byte>(body.begin(), body.end()), &broker = broker_] {
        const Broker::Answer<bus::PubAck> result = broker.publish(subject, headers, bytes);
        if (!result) return;
        wire->to_client([arrive, channel, token, result] {
            arrive([channel, token, result](bus::Listener& listener) {
                if (const auto* problem = std::get_if<Problem>(&*result))
                    listener.refused(channel, *problem);
                else
                    listener.acked(channel, token, std::get<bus::PubAck>(*result));
            });
        });
    });
}

void SimBus::get(const std::string& bucket, const std::string& key,
                 bus::Done<std::optional<bus::Entry>> done) {
    ask_broker<std::optional<bus::Entry>>(
        [bucket, key](Broker& broker) { return broker.get(bucket, key); }, std::move(done));
}

void SimBus::put(const std::string& bucket, const std::string& key, const std::string& value,
                 std::optional<std::uint64_t> revision, bus::Done<std::uint64_t> done) {
    ask_broker<std::uint64_t>(
        [=](Broker& broker) { return broker.put(bucket, key, value, revision); }, std::move(done));
}

void SimBus::listen(std::vector<std::string> subjects) {
    unlisten();
    listens_ = std::move(subjects);
    const auto asked = [wire = wire_, arrive = arrival()](const bus::Request& request) {
        wire->to_client([arrive, request] {
            arrive([request](bus::Listener& listener) { listener.requested(request); });
        });
    };
    for (const std::string& subject : listens_)
        send([wire = wire_, subject, asked, &broker = broker_] {
            broker.listen(wire, subject, asked);
        });
}

void SimBus::unlisten() {
    if (listens_.empty()) return;
    listens_.clear();
    send([wire = wire_, &broker = broker_] { broker.unlisten(wire); });
}

void SimBus::answer(const std::string& reply, std::string_view body, const core::Headers&) {
    send([reply, text = std::string(body), &broker = broker_] { broker.answer(reply, text); });
}

void SimBus::ask(const std::string& subject, const core::Headers&, std::string_view body,
                 std::chrono::milliseconds timeout, bus::Done<std::string> done) {
    if (!up_) return done(kDown);
    const std::uint64_t token = ++last_token_;
    open_.emplace(token, Asked{[done](const Problem& problem) { done(problem); }, now_ + timeout});
    send([this, wire = wire_, arrive = arrival(), token, subject, text = std::string(body), done,
          &broker = broker_] {
        const auto tell = [this, wire, arrive, token, done](bus::Result<std::string> result) {
            wire->to_client([this, arrive, token, result = std::move(result), done] {
                arrive(
                    [this, token, result, done](bus::Listener&) { answered(token, result, done); });
            });
        };
        if (!broker.request(subject, text, [tell](std::string answer) { tell(std::move(answer)); }))
            tell(kNobody);
    });
}

}  // namespace saga::sim
