#include "saga/bus/nats_client.hpp"

#include <fmt/format.h>

#include <condition_variable>
#include <deque>
#include <future>
#include <map>
#include <mutex>
#include <thread>

#include "saga/bus/no_answer.hpp"
#include "saga/core/shard.hpp"

namespace saga::bus {
namespace {

constexpr auto kIdempotencyKey = "Idempotency-Key";
/// How often a client asks whether the broker is there, and how many of these may stay unanswered:
/// a connection whose other end is gone without a word ends after three. nats.c's own two minutes
/// would leave calls, clients and a bank deaf for six.
constexpr std::chrono::milliseconds kPing{2'000};
constexpr int kPingsUnanswered = 2;
/// Whoever serves waits so long for the broker to know of it: then one that says it is open is. As
/// long as the broker may take for any answer (core::kApiTimeout).
constexpr std::chrono::milliseconds kHearsOfUs{5'000};

/// nats.c 3.4 does not send a signature that begins with a zero byte, so the broker refuses one of
/// 256 logins by NKey or credentials. Each login signs another nonce.
constexpr int kSignedLogins = 3;

/// nats.c connects again by itself, until a broker has refused its login twice for one reason, or
/// has said what it does not know (3.4.1, natsConn_processErr and _processAuthError in its conn.c):
/// then it closes for ever. So often is tried anew from there on.
constexpr std::chrono::seconds kAnew{1};

natsStatus connect(natsConnection** made, natsOptions* options, const Address& address) {
    const bool signs = !address.nkey.empty() || !address.creds.empty();
    natsStatus status = natsConnection_Connect(made, options);
    for (int more = kSignedLogins - 1; signs && more > 0 && status == NATS_CONNECTION_AUTH_FAILED;
         --more)
        status = natsConnection_Connect(made, options);
    return status;
}

Nats<natsConnection> connected(const Address& address, const std::string& name) {
    const Nats<natsOptions> options = options_for(address, name);
    natsOptions_SetAllowReconnect(options.get(), true);
    natsOptions_SetMaxReconnect(options.get(), -1);
    natsOptions_SetReconnectWait(options.get(), 100);
    natsOptions_SetReconnectBufSize(options.get(), 0);
    natsOptions_SetFailRequestsOnDisconnect(options.get(), true);
    natsOptions_SetPingInterval(options.get(), kPing.count());
    natsOptions_SetMaxPingsOut(options.get(), kPingsUnanswered);
    if (!address.inbox_prefix.empty())
        natsOptions_SetCustomInboxPrefix(options.get(), address.inbox_prefix.c_str());
    natsConnection* made = nullptr;
    const natsStatus status = connect(&made, options.get(), address);
    if (status == NATS_CONNECTION_AUTH_FAILED)
        throw Error(
            fmt::format("the nats-server at {} refuses the connection ({}): give --user and "
                        "--password, --creds or --nkey",
                        address.url, describe(status)));
    if (status != NATS_OK)
        throw Error(
            fmt::format("no nats-server answers at {} ({}): start one, or name another with "
                        "--server or NATS_URL",
                        address.url, describe(status)));
    return Nats<natsConnection>(made);
}

Nats<natsMsg> message_to(const std::string& subject, Bytes body, const core::Headers& headers) {
    natsMsg* made = nullptr;
    check(natsMsg_Create(&made, subject.c_str(), nullptr,
                         reinterpret_cast<const char*>(body.data()), static_cast<int>(body.size())),
          "cannot make a message for " + subject);
    Nats<natsMsg> message(made);
    for (const auto& [name, value] : headers) natsMsgHeader_Set(made, name.data(), value.c_str());
    return message;
}

Bytes bytes_of(std::string_view text) {
    return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

/// nats.c (3.4.1) gives a connection's own prefix to the inbox of its requests alone.
std::string new_inbox(const std::string& prefix) {
    constexpr std::string_view kPrefix = "_INBOX";
    natsInbox* made = nullptr;
    check(natsInbox_Create(&made), "cannot make an inbox");
    const std::unique_ptr<natsInbox, decltype(&natsInbox_Destroy)> owned(made, &natsInbox_Destroy);
    return prefix.empty() ? made : prefix + std::string(made).substr(kPrefix.size());
}

/// What the broker said of the newest thing that it did not permit, where that is about this
/// question: it came as a timeout.
std::string forbidden(natsConnection* connection, const std::string& subject) {
    const char* text = nullptr;
    if (natsConnection_GetLastError(connection, &text) != NATS_NOT_PERMITTED || text == nullptr)
        return {};
    const std::string_view said = text;
    const bool ours = said.find('"' + subject + '"') != std::string_view::npos;
    return ours || said.find("Subscription") != std::string_view::npos ? text : "";
}

Trouble trouble_of(natsStatus status) {
    switch (status) {
        case NATS_NO_RESPONDERS:
            return Trouble::no_responders;
        case NATS_TIMEOUT:
            return Trouble::timeout;
        default:
            return Trouble::disconnected;
    }
}

[[noreturn]] void give_up(natsConnection* connection, natsStatus status, const std::string& subject,
                          std::chrono::milliseconds timeout) {
    if (const std::string said = forbidden(connection, subject); !said.empty())
        throw NoAnswer(Trouble::refused,
                       fmt::format("the broker does not permit that ({}): give the user of this "
                                   "program the rights that `saga permissions` lists",
                                   said));
    const Problem problem{trouble_of(status), 0, describe(status)};
    throw NoAnswer(problem.trouble, no_answer(problem, subject, timeout));
}

}  // namespace

/// Where questions of all served subjects queue, and the thread that answers them.
class NatsClient::Counter {
  public:
    explicit Counter(NatsClient& client)
        : client_(client), connection_(client.connection()), thread_([this] { run(); }) {}
    ~Counter() {
        {
            const std::lock_guard lock(opening_);
            closed_ = true;
            for (Window& window : windows_) window.close();  // nothing comes any more
        }
        {
            const std::lock_guard lock(mutex_);
            stopping_ = true;
        }
        work_.notify_one();
        thread_.join();
    }
    Counter(const Counter&) = delete;
    Counter& operator=(const Counter&) = delete;
    void open(const std::string& subject, std::size_t most, Handler handler) {
        const std::lock_guard lock(opening_);
        Window& window = windows_.emplace_back(*this, subject, most, std::move(handler));
        window.open();
    }

  private:
    /// One subject. nats.c's thread brings its messages.
    struct Window {
        Window(Counter& of, std::string on, std::size_t at_most, Handler given)
            : counter(of), subject(std::move(on)), most(at_most), handler(std::move(given)) {}
        void open() {
            natsConnection* connection = counter.connection_.get();
            natsSubscription* made = nullptr;
            check(natsConnection_QueueSubscribe(&made, connection, subject.c_str(), "q",
                                                &Window::asked, this),
                  "cannot listen on " + subject);
            ended = {};
            natsSubscription_SetOnCompleteCB(made, &Window::completed, this);
            subscription.reset(made);
            // A broker that is away hears of it when it is back.
            natsConnection_FlushTimeout(connection, kHearsOfUs.count());
        }
        void close() {
            if (!subscription) return;
            natsSubscription_Unsubscribe(subscription.get());
            ended.get_future().wait();
            subscription.reset();
        }
        static void asked(natsConnection*, natsSubscription*, natsMsg* raw, void* self) {
            const Nats<natsMsg> message(raw);
            const char* reply = natsMsg_GetReply(raw);
            if (reply == nullptr) return;
            auto& window = *static_cast<Window*>(self);
            window.counter.put(window,
                               {std::string(header(raw, kIdempotencyKey)), bytes_of(raw), reply});
        }
        static void completed(void* self) { static_cast<Window*>(self)->ended.set_value(); }

        Counter& counter;
        std::string subject;
        std::size_t most;
        Handler handler;
        Nats<natsSubscription> subscription;
        std::promise<void> ended;  // no message comes any more
    };

    void put(Window& window, Question question) {
        const std::lock_guard lock(mutex_);
        queue_.emplace_back(&window, std::move(question));
        work_.notify_one();
    }
    void run() {
        std::unique_lock lock(mutex_);
        while (true) {
            if (!work_.wait_for(lock, kAnew, [&] { return stopping_ || !queue_.empty(); })) {
                lock.unlock();
                listen_again();
                lock.lock();
                continue;
            }
            if (queue_.empty()) return;
            Window& window = *queue_.front().first;
            std::vector<Question> questions;
            while (!queue_.empty() && queue_.front().first == &window &&
                   questions.size() < window.most) {
                questions.push_back(std::move(queue_.front().second));
                queue_.pop_front();
            }
            lock.unlock();
            answer(window, questions);
            lock.lock();
        }
    }
    void answer(const Window& window, std::span<const Question> questions) {
        try {
            const auto answers = window.handler(questions);
            for (std::size_t i = 0; i < answers.size() && i < questions.size(); ++i)
                if (answers[i])
                    natsConnection_Publish(connection_.get(), questions[i].reply.c_str(),
                                           answers[i]->data(),
                                           static_cast<int>(answers[i]->size()));
        } catch (const std::exception&) {
            // Silence: who asked will ask again.
        }
    }

    /// Where nats.c has closed the connection for ever.
    void listen_again() {
        const std::lock_guard lock(opening_);
        if (closed_ || !natsConnection_IsClosed(connection_.get())) return;
        const Connection anew = client_.connection();
        if (natsConnection_IsClosed(anew.get())) return;
        for (Window& window : windows_) window.close();
        connection_ = anew;
        try {
            for (Window& window : windows_) window.open();
        } catch (const Error&) {
            // It has closed again: the next look sees it.
        }
    }

    NatsClient& client_;
    std::mutex opening_;     // of windows, by whoever serves and by our thread
    bool closed_ = false;    // they stay so
    Connection connection_;  // of the windows
    std::mutex mutex_;
    std::condition_variable work_;
    std::deque<std::pair<Window*, Question>> queue_;
    bool stopping_ = false;
    std::deque<Window> windows_;
    std::thread thread_;
};

NatsClient::NatsClient(const Address& address, std::string name)
    : address_(address), name_(std::move(name)), connection_(connected(address_, name_)) {}

NatsClient::~NatsClient() {
    counter_.reset();
    natsConnection_FlushTimeout(connection_.get(), 500);
}

NatsClient::Connection NatsClient::connection() {
    const std::lock_guard lock(mutex_);
    if (!natsConnection_IsClosed(connection_.get()) || std::chrono::steady_clock::now() < anew_)
        return connection_;
    try {
        connection_ = connected(address_, name_);
    } catch (const Error&) {
        // Whoever asks is told by the closed one.
    }
    anew_ = std::chrono::steady_clock::now() + kAnew;
    return connection_;
}

std::vector<std::byte> NatsClient::request(const std::string& subject, Bytes body,
                                           std::chrono::milliseconds timeout,
                                           const core::Headers& headers) {
    const Nats<natsMsg> question = message_to(subject, body, headers);
    const Connection by = connection();
    natsMsg* answer = nullptr;
    const natsStatus status =
        natsConnection_RequestMsg(&answer, by.get(), question.get(), timeout.count());
    const Nats<natsMsg> owned(answer);
    if (status != NATS_OK) give_up(by.get(), status, subject, timeout);
    return bytes_of(answer);
}

std::string NatsClient::request_text(const std::string& subject, std::string_view body,
                                     std::chrono::milliseconds timeout) {
    const std::vector<std::byte> answer = request(subject, bytes_of(body), timeout);
    return {reinterpret_cast<const char*>(answer.data()), answer.size()};
}

/// A question whose answers come to a subscription of its own.
class NatsClient::Poll {
  public:
    Poll(NatsClient& client, const std::string& subject, std::string_view body)
        : by(client.connection()) {
        const std::string inbox = new_inbox(client.address_.inbox_prefix);
        natsSubscription* made = nullptr;
        check(natsConnection_SubscribeSync(&made, by.get(), inbox.c_str()), "cannot subscribe");
        answers_.reset(made);
        check(natsConnection_PublishRequest(by.get(), subject.c_str(), inbox.c_str(), body.data(),
                                            static_cast<int>(body.size())),
              "cannot ask on " + subject);
    }
    const Connection by;

    /// Null: there is none before `until`, for the reason in `status`.
    Nats<natsMsg> next(std::chrono::steady_clock::time_point until, natsStatus& status) {
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
        natsMsg* answer = nullptr;
        status = left.count() <= 0
                     ? NATS_TIMEOUT
                     : natsSubscription_NextMsg(&answer, answers_.get(), left.count());
        return Nats<natsMsg>(answer);
    }

  private:
    Nats<natsSubscription> answers_;
};

std::vector<std::string> NatsClient::request_all(const std::string& subject, std::string_view body,
                                                 std::chrono::milliseconds timeout) {
    Poll poll(*this, subject, body);
    std::map<unsigned, std::string> found;  // by shard
    const auto until = std::chrono::steady_clock::now() + timeout;
    for (std::size_t all = 1; found.size() < all;) {
        natsStatus status = NATS_OK;
        const Nats<natsMsg> answer = poll.next(until, status);
        if (status != NATS_OK) {
            if (found.empty()) give_up(poll.by.get(), status, subject, timeout);
            throw NoAnswer(Trouble::timeout,
                           fmt::format("{} of {} shards answered on {} within {} ms", found.size(),
                                       all, subject, timeout.count()));
        }
        const char* header = nullptr;
        natsMsgHeader_Get(answer.get(), core::kShardHeader.data(), &header);
        const auto shard = core::parse_shard(header == nullptr ? "0/1" : header);
        if (!shard) continue;
        all = shard->of;
        found[shard->nth] = text_of(answer.get());
    }
    std::vector<std::string> answers;
    for (auto& [nth, answer] : found) answers.push_back(std::move(answer));
    return answers;
}

std::vector<std::string> NatsClient::request_many(const std::string& subject, std::string_view body,
                                                  std::chrono::milliseconds wait) {
    Poll poll(*this, subject, body);
    std::vector<std::string> found;
    const auto until = std::chrono::steady_clock::now() + wait;
    while (true) {
        natsStatus status = NATS_OK;
        const Nats<natsMsg> answer = poll.next(until, status);
        if (status != NATS_OK) return found;
        found.emplace_back(text_of(answer.get()));
    }
}

void NatsClient::serve(const std::string& subject, std::size_t most, Handler handler) {
    if (!counter_) counter_ = std::make_unique<Counter>(*this);
    counter_->open(subject, most, std::move(handler));
}

}  // namespace saga::bus
