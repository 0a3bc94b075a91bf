#include "saga/bus/nats_bus.hpp"

#include <fmt/format.h>

#include <charconv>

#include "saga/bus/jetstream.hpp"
#include "saga/core/limits.hpp"
#include "saga/core/subject.hpp"

namespace saga::bus {
namespace {

/// Longer than the broker is ever silent towards a reader that it serves.
constexpr auto kSilence = std::chrono::seconds(15);

std::uint64_t number(std::string_view text) {
    std::uint64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}
std::uint64_t last_token(std::string_view subject) {
    return number(subject.substr(subject.rfind('.') + 1));
}

Bytes bytes_of(std::string_view text) {
    return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

/// Turns text that was answered into what `read` makes of it.
template <class T>
std::function<void(Result<std::string_view>)> reading(Result<T> (*read)(std::string_view),
                                                      Done<T> done) {
    return [read, done = std::move(done)](Result<std::string_view> answer) {
        if (auto* problem = std::get_if<Problem>(&answer)) return done(std::move(*problem));
        done(read(std::get<std::string_view>(answer)));
    };
}

const Problem kNobody{Trouble::no_responders, 0, "nobody answers there: is JetStream on?"};

}  // namespace

NatsBus::NatsBus(const Address& address, const std::string& name, const std::string& nonce)
    : loop_(address, name),
      own_prefix_((address.inbox_prefix.empty() ? "_SAGA." + name : address.inbox_prefix) + "."),
      prefix_(own_prefix_ + nonce) {}

NatsBus::~NatsBus() = default;

std::string NatsBus::inbox(std::string_view box) const {
    return fmt::format("{}.{}", prefix_, box);
}

// ---- poll ---------------------------------------------------------------------------------------

void NatsBus::poll(Listener& listener, Steady now) {
    begin_turn(now);
    const NatsLoop::Change change = loop_.poll(now);
    if (change == NatsLoop::Change::connected) connected(listener);
    if (change == NatsLoop::Change::disconnected) disconnected(listener);
    for (const std::string& denied : loop_.take_denied())
        if (!concerns_asked(denied)) listener.denied(denied);
    if (!up_) return;
    drain_messages(listener);
    drain_acks(listener, Channel::events, event_acks_);
    drain_acks(listener, Channel::letters, letter_acks_);
    drain_box(api_);
    for (auto& [subject, box] : boxes_) drain_box(box);
    drain_requests(listener);
    expire(api_);
    for (auto& [subject, box] : boxes_) expire(box);
    if (now_ - heard_ > kSilence) loop_.drop("the broker is silent");
}

void NatsBus::wait(Steady until) {
    spent_.release();
    const auto until_late = [&](const Box& box) {
        for (const auto& [token, asked] : box.open) until = std::min(until, asked.until);
    };
    until_late(api_);
    for (const auto& [subject, box] : boxes_) until_late(box);
    if (up_) until = std::min(until, heard_ + kSilence + std::chrono::milliseconds(1));
    loop_.wait(until);
}

void NatsBus::connected(Listener& listener) {
    up_ = true;
    heard_ = now_;
    event_acks_ = subscribe(inbox("a.*"));
    letter_acks_ = subscribe(inbox("l.*"));
    open(api_);
    listener.connected({.url = loop_.url()});
}

void NatsBus::disconnected(Listener& listener) {
    up_ = false;
    messages_.reset();
    event_acks_.reset();
    letter_acks_.reset();
    requests_.clear();
    const Problem problem{Trouble::disconnected, 0, loop_.why()};
    api_.subscription.reset();
    fail_all(api_, problem);
    for (auto& [subject, box] : boxes_) {
        box.subscription.reset();
        fail_all(box, problem);
    }
    listener.disconnected(loop_.why());
}

Nats<natsSubscription> NatsBus::subscribe(const std::string& subject) {
    natsSubscription* made = nullptr;
    if (natsConnection_SubscribeSync(&made, loop_.connection(), subject.c_str()) != NATS_OK)
        return nullptr;                               // the connection broke: poll() will see it
    natsSubscription_SetPendingLimits(made, -1, -1);  // pull requests bound what can come
    return Nats<natsSubscription>(made);
}

bool NatsBus::next(const Nats<natsSubscription>& subscription, Nats<natsMsg>& message,
                   bool& nobody) {
    std::uint64_t queued = 0;
    nobody = false;
    if (message) spent_.add(std::move(message));
    if (!subscription || natsSubscription_QueuedMsgs(subscription.get(), &queued) != NATS_OK ||
        queued == 0)
        return false;
    natsMsg* taken = nullptr;
    const natsStatus status = natsSubscription_NextMsg(&taken, subscription.get(), 0);
    message.reset(taken);
    nobody = status == NATS_NO_RESPONDERS;
    heard_ = now_;
    return nobody || status == NATS_OK;
}

void NatsBus::drain_messages(Listener& listener) {
    Nats<natsMsg> message;
    bool nobody = false;
    const std::uint64_t generation = generation_;
    // A listener may make the consumer anew while it is told of a message: the rest is of the old.
    while (generation == generation_ && next(messages_, message, nobody)) {
        if (nobody) {
            listener.consumer_lost("the consumer is gone");
            continue;
        }
        const char* reply = natsMsg_GetReply(message.get());
        const auto tokens = parse_ack_subject(reply == nullptr ? "" : reply);
        if (!tokens) {
            status(listener, message.get());
            continue;
        }
        listener.delivered({.subject = natsMsg_GetSubject(message.get()),
                            .bytes = bytes_of(message.get()),
                            .seq = tokens->seq,
                            .stored_at = tokens->stored_at},
                           tokens->nth, tokens->pending);
    }
}

/// Heartbeats, and the ends of pull requests (ADR-37).
void NatsBus::status(Listener& listener, natsMsg* message) {
    const std::string_view code = header(message, "Status");
    const std::string_view text = header(message, "Description");
    if (code == "100" && text == "Idle Heartbeat")
        return listener.heartbeat(number(header(message, "Nats-Last-Consumer")),
                                  number(header(message, "Nats-Last-Stream")));
    const bool gone = code == "409" && (text == "Consumer Deleted" || text == "Leadership Change" ||
                                        text == "Server Shutdown");
    if (gone) return listener.consumer_lost(text);
    if (code.empty()) return;
    PullEnd end{.left = {}, .too_large = code == "409" && text == "Message Size Exceeds MaxBytes"};
    if (const std::string_view left = header(message, "Nats-Pending-Messages"); !left.empty())
        end.left = number(left);
    listener.pull_ended(last_token(natsMsg_GetSubject(message)), end);
}

void NatsBus::drain_acks(Listener& listener, Channel channel, const Nats<natsSubscription>& inbox) {
    Nats<natsMsg> message;
    bool nobody = false;
    while (next(inbox, message, nobody)) {
        if (nobody) {
            listener.refused(channel, {Trouble::no_responders, 0,
                                       "no stream takes the event: make the streams with "
                                       "`saga bootstrap`"});
            continue;
        }
        const Result<PubAck> ack = read_pub_ack(text_of(message.get()));
        if (const auto* problem = std::get_if<Problem>(&ack))
            listener.refused(channel, *problem);
        else
            listener.acked(channel, last_token(natsMsg_GetSubject(message.get())),
                           std::get<PubAck>(ack));
    }
}

void NatsBus::open(Box& box) {
    box.subscription = subscribe(inbox(box.name + ".*"));
}

void NatsBus::drain_box(Box& box) {
    Nats<natsMsg> message;
    bool nobody = false;
    while (next(box.subscription, message, nobody)) {
        if (nobody) {
            fail_all(box, kNobody);
            continue;
        }
        const auto asked = box.open.find(last_token(natsMsg_GetSubject(message.get())));
        if (asked == box.open.end()) continue;  // it came too late
        const Answered answered = std::move(asked->second.answered);
        box.open.erase(asked);
        answered(message.get(), nullptr);
    }
}

void NatsBus::drain_requests(Listener& listener) {
    Nats<natsMsg> message;
    bool nobody = false;
    for (const Nats<natsSubscription>& subscription : requests_) {
        while (next(subscription, message, nobody)) {
            const char* reply = natsMsg_GetReply(message.get());
            const std::string_view to = reply == nullptr ? "" : reply;
            // A pull request with our subject as its reply would deliver stream bytes here.
            if (!is_inbox(to)) continue;
            listener.requested({.subject = natsMsg_GetSubject(message.get()),
                                .reply = std::string(to),
                                .body = bytes_of(message.get())});
        }
    }
}

bool NatsBus::is_inbox(std::string_view subject) const {
    return subject.starts_with("_INBOX.") || subject.starts_with(own_prefix_);
}

/// Nothing but answers goes to an inbox, and a server lets anybody name any: it's the asker's loss.
/// What a call may not ask has no answer, and all else goes on; a name's owner must be asked.
bool NatsBus::concerns_asked(std::string_view denied) {
    const std::string subject(refused_subject(denied));
    if (is_inbox(subject)) return true;
    const auto box = boxes_.find(subject);
    if (box == boxes_.end() || core::is_request(subject)) return false;
    fail_all(box->second, {Trouble::refused, 0, std::string(denied)});
    return true;
}

void NatsBus::expire(Box& box) {
    const Problem late{Trouble::timeout, 0, "the broker did not answer in time"};
    for (auto each = box.open.begin(); each != box.open.end();) {
        if (now_ < each->second.until) {
            ++each;
            continue;
        }
        const Answered answered = std::move(each->second.answered);
        box.open.erase(each);
        answered(nullptr, &late);
        each = box.open.begin();  // who was told may have asked again
    }
}

void NatsBus::fail_all(Box& box, const Problem& problem) {
    for (auto& [token, asked] : std::exchange(box.open, {})) asked.answered(nullptr, &problem);
}

// ---- what is sent -------------------------------------------------------------------------------

void NatsBus::send(const std::string& subject, const std::string& reply, Bytes body,
                   const core::Headers& headers) {
    natsMsg* made = nullptr;
    if (!up_ || natsMsg_Create(&made, subject.c_str(), reply.empty() ? nullptr : reply.c_str(),
                               reinterpret_cast<const char*>(body.data()),
                               static_cast<int>(body.size())) != NATS_OK)
        return;  // without a connection everything asked ends as disconnected
    spent_.add(Nats<natsMsg>(made));
    for (const auto& [name, value] : headers) natsMsgHeader_Set(made, name.data(), value.c_str());
    natsConnection_PublishMsg(loop_.connection(), made);
}

void NatsBus::request(Box& box, const std::string& subject, std::string_view body,
                      std::chrono::milliseconds timeout, const core::Headers& headers,
                      Answered answered) {
    if (!up_) {
        const Problem problem{Trouble::disconnected, 0, loop_.why()};
        return answered(nullptr, &problem);
    }
    const std::uint64_t token = ++last_token_;
    box.open.emplace(token, Asked{std::move(answered), present() + timeout});
    send(subject, fmt::format("{}.{}.{}", prefix_, box.name, token), bytes_of(body), headers);
}

void NatsBus::api(const std::string& subject, const std::string& body,
                  std::function<void(Result<std::string_view>)> done) {
    request(api_, subject, body, core::kApiTimeout, {},
            [done = std::move(done)](natsMsg* message, const Problem* problem) {
                if (problem != nullptr) return done(*problem);
                done(text_of(message));
            });
}

NatsBus::Box& NatsBus::box_of(const std::string& asked) {
    Box& box = boxes_[asked];
    if (box.name.empty()) box.name = fmt::format("q{}", boxes_.size());
    if (up_ && !box.subscription) open(box);
    return box;
}

void NatsBus::stream_info(Done<StreamInfo> done) {
    api(fmt::format("$JS.API.STREAM.INFO.{}", core::kStream), R"({"deleted_details":true})",
        reading(&read_stream_info, std::move(done)));
}

void NatsBus::message_at(std::uint64_t seq, Done<StoredMessage> done) {
    api(fmt::format("$JS.API.STREAM.MSG.GET.{}", core::kStream),
        fmt::format(R"({{"seq":{}}})", seq), reading(&read_message, std::move(done)));
}

void NatsBus::create_consumer(const ConsumerSpec& spec, Done<ConsumerState> done) {
    messages_.reset();
    messages_ = subscribe(inbox(fmt::format("m.{}.*", ++generation_)));
    api(create_consumer_subject(spec), create_consumer_body(spec),
        reading(&read_consumer, std::move(done)));
}

void NatsBus::delete_consumer(const std::string& name, Done<std::monostate> done) {
    ++generation_;
    messages_.reset();
    api(fmt::format("$JS.API.CONSUMER.DELETE.{}.{}", core::kStream, name), "",
        reading(&read_success, std::move(done)));
}

void NatsBus::consumer_state(const std::string& name, Done<ConsumerState> done) {
    api(fmt::format("$JS.API.CONSUMER.INFO.{}.{}", core::kStream, name), "",
        reading(&read_consumer, std::move(done)));
}

void NatsBus::pull(const std::string& consumer, std::uint64_t pull, const PullSpec& spec) {
    const std::string body = pull_body(spec);
    send(fmt::format("$JS.API.CONSUMER.MSG.NEXT.{}.{}", core::kStream, consumer),
         inbox(fmt::format("m.{}.{}", generation_, pull)), bytes_of(body), {});
}

void NatsBus::publish(Channel channel, std::uint64_t token, const std::string& subject,
                      const core::Headers& headers, Bytes body) {
    const char* box = channel == Channel::events ? "a" : "l";
    send(subject, fmt::format("{}.{}.{}", prefix_, box, token), body, headers);
}

void NatsBus::get(const std::string& bucket, const std::string& key,
                  Done<std::optional<Entry>> done) {
    const std::string subject =
        fmt::format("$JS.API.DIRECT.GET.KV_{}.$KV.{}.{}", bucket, bucket, key);
    request(box_of(bucket), subject, "", core::kApiTimeout, {},
            [done = std::move(done)](natsMsg* message, const Problem* problem) {
                if (problem != nullptr) return done(*problem);
                if (header(message, "Status") == "404") return done(std::optional<Entry>());
                const auto stored = parse_time(header(message, "Nats-Time-Stamp"));
                done(std::optional(Entry{.value = std::string(text_of(message)),
                                         .revision = number(header(message, "Nats-Sequence")),
                                         .stored_at = stored.value_or(StoreTime{})}));
            });
}

void NatsBus::put(const std::string& bucket, const std::string& key, const std::string& value,
                  std::optional<std::uint64_t> revision, Done<std::uint64_t> done) {
    core::Headers headers;
    if (revision)
        headers.emplace_back("Nats-Expected-Last-Subject-Sequence", std::to_string(*revision));
    request(box_of(bucket), fmt::format("$KV.{}.{}", bucket, key), value, core::kApiTimeout,
            headers, [done = std::move(done)](natsMsg* message, const Problem* problem) {
                if (problem != nullptr) return done(*problem);
                Result<PubAck> ack = read_pub_ack(text_of(message));
                if (auto* refused = std::get_if<Problem>(&ack)) return done(std::move(*refused));
                done(std::get<PubAck>(ack).seq);
            });
}

void NatsBus::listen(std::vector<std::string> subjects) {
    requests_.clear();
    for (const std::string& subject : subjects) requests_.push_back(subscribe(subject));
}

void NatsBus::unlisten() {
    requests_.clear();
}

void NatsBus::answer(const std::string& reply, std::string_view body,
                     const core::Headers& headers) {
    send(reply, "", bytes_of(body), headers);
}

void NatsBus::ask(const std::string& subject, const core::Headers& headers, std::string_view body,
                  std::chrono::milliseconds timeout, Done<std::string> done) {
    request(box_of(subject), subject, body, timeout, headers,
            [done = std::move(done)](natsMsg* message, const Problem* problem) {
                if (problem != nullptr) return done(*problem);
                done(std::string(text_of(message)));
            });
}

}  // namespace saga::bus
