#include "saga/bus/nats_client.hpp"

#include <fmt/format.h>

#include <future>

namespace saga::bus {
namespace {

constexpr auto kIdempotencyKey = "Idempotency-Key";

std::vector<std::byte> bytes_of(natsMsg* message) {
    const auto* begin = reinterpret_cast<const std::byte*>(natsMsg_GetData(message));
    return {begin, begin + natsMsg_GetDataLength(message)};
}

Nats<natsMsg> message_to(const std::string& subject, Bytes body, const core::Headers& headers) {
    natsMsg* made = nullptr;
    check(natsMsg_Create(&made, subject.c_str(), nullptr,
                         reinterpret_cast<const char*>(body.data()), static_cast<int>(body.size())),
          "cannot make a message for " + subject);
    Nats<natsMsg> message(made);
    for (const auto& [name, value] : headers) natsMsgHeader_Set(made, name.c_str(), value.c_str());
    return message;
}

Bytes bytes_of(std::string_view text) {
    return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

[[noreturn]] void no_answer(natsStatus status, const std::string& subject,
                            std::chrono::milliseconds timeout) {
    switch (status) {
        case NATS_NO_RESPONDERS:
            throw NoAnswer(Trouble::no_responders, "nobody answers on " + subject);
        case NATS_TIMEOUT:
            throw NoAnswer(Trouble::timeout,
                           fmt::format("no answer on {} within {} ms", subject, timeout.count()));
        default:
            throw NoAnswer(Trouble::disconnected,
                           fmt::format("no answer on {}: {}", subject, describe(status)));
    }
}

}  // namespace

struct NatsClient::Served {
    Handler handler;
    Nats<natsSubscription> subscription;
    std::promise<void> ended;  // no handler runs any more

    ~Served() {
        if (!subscription) return;
        natsSubscription_Unsubscribe(subscription.get());
        ended.get_future().wait();
    }
    static void completed(void* self) { static_cast<Served*>(self)->ended.set_value(); }

    static void requested(natsConnection* connection, natsSubscription*, natsMsg* raw, void* self) {
        const Nats<natsMsg> message(raw);
        const char* reply = natsMsg_GetReply(raw);
        if (reply == nullptr) return;
        const std::vector<std::byte> question = bytes_of(raw);
        std::optional<std::vector<std::byte>> answer;
        try {
            answer = static_cast<Served*>(self)->handler(header(raw, kIdempotencyKey), question);
        } catch (const std::exception&) {
            return;  // silence: who asked will ask again
        }
        if (answer)
            natsConnection_Publish(connection, reply, answer->data(),
                                   static_cast<int>(answer->size()));
    }
};

NatsClient::NatsClient(const Address& address, const std::string& name) {
    const Nats<natsOptions> options = options_for(address, name);
    natsOptions_SetAllowReconnect(options.get(), true);
    natsOptions_SetMaxReconnect(options.get(), -1);
    natsOptions_SetReconnectWait(options.get(), 100);
    natsOptions_SetReconnectBufSize(options.get(), 0);
    natsOptions_SetFailRequestsOnDisconnect(options.get(), true);
    if (!address.inbox_prefix.empty())
        natsOptions_SetCustomInboxPrefix(options.get(), address.inbox_prefix.c_str());
    natsConnection* made = nullptr;
    const natsStatus status = natsConnection_Connect(&made, options.get());
    if (status != NATS_OK)
        throw Error(
            fmt::format("no nats-server answers at {} ({}): start one, or name another with "
                        "--server or NATS_URL",
                        address.url, describe(status)));
    connection_.reset(made);
}

NatsClient::~NatsClient() {
    served_.clear();
    natsConnection_FlushTimeout(connection_.get(), 500);
}

std::vector<std::byte> NatsClient::request(const std::string& subject, Bytes body,
                                           std::chrono::milliseconds timeout,
                                           const core::Headers& headers) {
    const Nats<natsMsg> question = message_to(subject, body, headers);
    natsMsg* answer = nullptr;
    const natsStatus status =
        natsConnection_RequestMsg(&answer, connection_.get(), question.get(), timeout.count());
    const Nats<natsMsg> owned(answer);
    if (status != NATS_OK) no_answer(status, subject, timeout);
    return bytes_of(answer);
}

std::string NatsClient::request_text(const std::string& subject, std::string_view body,
                                     std::chrono::milliseconds timeout) {
    const std::vector<std::byte> answer = request(subject, bytes_of(body), timeout);
    return {reinterpret_cast<const char*>(answer.data()), answer.size()};
}

std::vector<std::string> NatsClient::request_many(const std::string& subject, std::string_view body,
                                                  std::chrono::milliseconds wait) {
    natsInbox* inbox = nullptr;
    check(natsInbox_Create(&inbox), "cannot make an inbox");
    const std::unique_ptr<natsInbox, decltype(&natsInbox_Destroy)> owned(inbox, &natsInbox_Destroy);
    natsSubscription* made = nullptr;
    check(natsConnection_SubscribeSync(&made, connection_.get(), inbox), "cannot subscribe");
    const Nats<natsSubscription> answers(made);
    check(natsConnection_PublishRequest(connection_.get(), subject.c_str(), inbox, body.data(),
                                        static_cast<int>(body.size())),
          "cannot ask on " + subject);
    std::vector<std::string> found;
    const auto until = std::chrono::steady_clock::now() + wait;
    while (true) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
            until - std::chrono::steady_clock::now());
        natsMsg* answer = nullptr;
        if (left.count() <= 0 || natsSubscription_NextMsg(&answer, made, left.count()) != NATS_OK)
            return found;
        const Nats<natsMsg> message(answer);
        found.emplace_back(natsMsg_GetData(answer),
                           static_cast<std::size_t>(natsMsg_GetDataLength(answer)));
    }
}

void NatsClient::serve(const std::string& subject, Handler handler) {
    auto served = std::make_unique<Served>();
    served->handler = std::move(handler);
    natsSubscription* made = nullptr;
    check(natsConnection_QueueSubscribe(&made, connection_.get(), subject.c_str(), "q",
                                        &Served::requested, served.get()),
          "cannot listen on " + subject);
    natsSubscription_SetOnCompleteCB(made, &Served::completed, served.get());
    served->subscription.reset(made);
    served_.push_back(std::move(served));
}

}  // namespace saga::bus
