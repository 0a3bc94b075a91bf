#include "tests/bench/floor/loop.hpp"

#include <fmt/format.h>

#include <charconv>
#include <csignal>
#include <cstring>
#include <nlohmann/json.hpp>
#include <random>

#include "saga/bus/jetstream.hpp"
#include "saga/core/limits.hpp"

namespace bench {
namespace {

using saga::core::Envelope;

constexpr auto kTables = R"sql(
    CREATE TABLE journal (
        saga TEXT NOT NULL, step TEXT NOT NULL, event_id BLOB NOT NULL, result BLOB,
        PRIMARY KEY (saga, step)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE outbox (
        seq INTEGER PRIMARY KEY, event_id BLOB NOT NULL, saga TEXT NOT NULL,
        subject TEXT NOT NULL, envelope BLOB NOT NULL, stream_seq INTEGER
    ) STRICT;
    CREATE TABLE cursor (one INTEGER PRIMARY KEY, seq INTEGER NOT NULL) STRICT;
    INSERT INTO cursor VALUES (1, 0);
)sql";

constexpr std::string_view kPrefix = "saga.";

volatile std::sig_atomic_t stop_asked = 0;

std::uint64_t last_token(const char* subject) {
    const char* dot = std::strrchr(subject, '.');
    std::uint64_t value = 0;
    std::from_chars(dot + 1, dot + std::strlen(dot), value);
    return value;
}

saga::Time now() {
    return std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
}

Bytes bytes_of(std::string_view text) {
    return std::as_bytes(std::span(text));
}

}  // namespace

Loop::Loop(std::string service, const std::string& url, const std::string& folder,
           const char* tables)
    : service_(std::move(service)),
      wire_(url),
      db_(fmt::format("{}/{}.db", folder, service_), fmt::format("{}{}", kTables, tables).c_str()),
      journal_(db_, "INSERT INTO journal VALUES (?1, ?2, ?3, ?4)"),
      outbox_(db_, "INSERT INTO outbox VALUES (?1, ?2, ?3, ?4, ?5, NULL)"),
      settle_(db_, "UPDATE outbox SET stream_seq = ?2 WHERE seq = ?1"),
      cursor_(db_, "UPDATE cursor SET seq = ?1"),
      salt_(std::random_device{}()) {}

// ---- inside a transaction -----------------------------------------------------------------------

void Loop::journal(std::string_view saga, std::string_view step, const EventId& event,
                   Bytes result) {
    journal_(saga, step, event, result);
}

EventId Loop::next_id(saga::Time started) {
    EventId id;
    const std::array<std::uint64_t, 2> parts{
        static_cast<std::uint64_t>(started.time_since_epoch().count()) << 16 | (salt_ & 0xFFFF),
        (++last_id_ << 32) | (salt_ >> 16)};
    std::memcpy(id.bytes.data(), parts.data(), sizeof parts);
    return id;
}

EventId Loop::emit(const Envelope* cause, std::string_view saga, const Out& out, Bytes payload) {
    const saga::Time time = now();
    const saga::Time started = cause != nullptr ? cause->started : time;
    const std::int64_t seq = ++last_row_;
    const Envelope envelope{.id = next_id(started),
                            .type = out.type,
                            .saga = saga,
                            .started = started,
                            .cause = cause != nullptr ? cause->id : EventId{},
                            .source = service_,
                            .sequence = static_cast<std::uint64_t>(seq),
                            .time = time,
                            .kind = out.kind,
                            .step = out.step,
                            .hops = static_cast<std::uint16_t>(cause ? cause->hops + 1 : 0),
                            .payload = payload};
    Row row{saga::core::subject_of(envelope), saga::core::encode(envelope),
            saga::core::headers_of(envelope)};
    outbox_(seq, envelope.id, saga, row.subject, Bytes(row.envelope));
    unsettled_.emplace(envelope.id, seq);
    committed_.push_back(std::move(row));
    return envelope.id;
}

void Loop::ask(const std::string& subject, Bytes question,
               std::function<void(std::string_view)> answered) {
    questions_.push_back({subject, {question.begin(), question.end()}, std::move(answered)});
}

// ---- the broker ---------------------------------------------------------------------------------

void Loop::open_consumer(const std::vector<std::string>& filters) {
    const auto info = nlohmann::json::parse(wire_.ask("$JS.API.INFO", {}));
    const bool lists = info.contains("api") && info["api"].contains("level");
    // Before 2.10 there are no lists of filters; `level` came with 2.11, and 2.10 is nobody's case.
    saga::bus::ConsumerSpec spec{.name = service_,
                                 .filters = lists ? filters : std::vector<std::string>{"saga.>"},
                                 .start_seq = 1,
                                 .inactive = saga::core::kConsumerInactive};
    for (const std::string& filter : filters)
        wanted_.insert(filter.substr(kPrefix.size(), filter.size() - kPrefix.size() - 2));
    messages_ = wire_.subscribe(wire_.inbox() + ".m");
    acks_ = wire_.subscribe(wire_.inbox() + ".a.*");
    answers_ = wire_.subscribe(wire_.inbox() + ".q.*");
    const std::string answer = wire_.ask(saga::bus::create_consumer_subject(spec),
                                         bytes_of(saga::bus::create_consumer_body(spec)));
    if (answer.find("\"error\"") != std::string::npos) throw std::runtime_error(answer);
}

/// "saga.payment.done.PaymentTaken.p07": a server that cannot filter sends what nobody asked for.
bool Loop::wants(std::string_view subject) const {
    subject.remove_prefix(kPrefix.size());
    const auto kind = subject.find('.') + 1;
    const auto event = subject.find('.', kind) + 1;
    const auto partition = subject.find('.', event);
    return wanted_.contains(std::string(subject.substr(0, partition))) ||
           wanted_.contains(std::string(subject.substr(0, event - 1))) ||
           wanted_.contains("*" + std::string(subject.substr(kind - 1, event - kind)));
}

void Loop::pull() {
    while (owed_ <= (saga::core::kPulls - 1) * saga::core::kPullBatch) {
        owed_ += saga::core::kPullBatch;
        const std::string body = saga::bus::pull_body({.batch = saga::core::kPullBatch,
                                                       .max_bytes = 0,
                                                       .expires = saga::core::kPullExpires,
                                                       .heartbeat = saga::core::kHeartbeat});
        wire_.publish(fmt::format("$JS.API.CONSUMER.MSG.NEXT.SAGA.{}", service_),
                      wire_.inbox() + ".m", bytes_of(body));
    }
}

void Loop::take_message(natsMsg* message, const Handlers& handlers) {
    const char* reply = natsMsg_GetReply(message);
    const auto place = saga::bus::parse_ack_subject(reply == nullptr ? "" : reply);
    if (!place) {
        const char* left = nullptr;
        if (natsMsgHeader_Get(message, "Nats-Pending-Messages", &left) == NATS_OK)
            owed_ -= std::min<std::uint64_t>(owed_, std::strtoull(left, nullptr, 10));
        return;
    }
    if (owed_ > 0) --owed_;
    read_to_ = place->seq;
    if (!wants(natsMsg_GetSubject(message))) return;
    const std::string_view body = body_of(message);
    // Aligned for FlatBuffers.
    const std::vector<std::byte> bytes(bytes_of(body).begin(), bytes_of(body).end());
    const auto read = saga::core::decode(bytes);
    const auto* envelope = std::get_if<Envelope>(&read);
    if (envelope == nullptr) throw std::runtime_error("an event cannot be read");
    if (envelope->source == service_) {
        const auto own = unsettled_.find(envelope->id);
        if (own == unsettled_.end()) throw std::runtime_error("an event that is not ours");
        settle_(own->second, static_cast<std::int64_t>(place->seq));
        unsettled_.erase(own);
    }
    handlers.event(*envelope);
}

void Loop::take_answer(natsMsg* message) {
    const auto asked = asked_.find(last_token(natsMsg_GetSubject(message)));
    if (asked == asked_.end()) throw std::runtime_error("an answer to no question");
    asked->second(body_of(message));
    asked_.erase(asked);
}

/// One transaction over what has come, at most.
std::size_t Loop::batch(const Handlers& handlers) {
    std::size_t items = 0;
    const auto each = [&](natsSubscription* from, const auto& take) {
        for (natsMsg* message = nullptr; from != nullptr && items < saga::core::kBatch &&
                                         (message = wire_.next(from)) != nullptr;) {
            if (items++ == 0) db_.run("BEGIN IMMEDIATE");
            take(message);
        }
    };
    each(answers_, [&](natsMsg* message) { take_answer(message); });
    each(messages_, [&](natsMsg* message) { take_message(message, handlers); });
    each(requests_, [&](natsMsg* message) {
        replies_.emplace_back(natsMsg_GetReply(message), handlers.request(body_of(message)));
    });
    if (items == 0) return 0;
    cursor_(static_cast<std::int64_t>(read_to_));
    db_.run("COMMIT");
    return items;
}

void Loop::send() {
    for (const auto& [to, answer] : replies_) wire_.publish(to, "", bytes_of(answer));
    replies_.clear();
    for (const Row& row : committed_)
        wire_.publish(row.subject, wire_.inbox() + ".a.1", row.envelope, row.headers);
    committed_.clear();
    for (Question& question : questions_) {
        const std::uint64_t token = ++last_question_;
        asked_.emplace(token, std::move(question.answered));
        wire_.publish(question.subject, fmt::format("{}.q.{}", wire_.inbox(), token), question.body,
                      {{"Idempotency-Key", fmt::format("{}-{}", salt_, token)}});
    }
    questions_.clear();
}

void Loop::run(const Handlers& handlers) {
    struct sigaction action {};
    action.sa_handler = [](int) { stop_asked = 1; };
    sigaction(SIGTERM, &action, nullptr);
    open_consumer(handlers.filters);
    if (!handlers.requests.empty()) requests_ = wire_.subscribe(handlers.requests);
    fmt::print(stderr, "{}: ready\n", service_);
    while (stop_asked == 0) {
        wire_.read();
        while (natsMsg* ack = wire_.next(acks_))  // a hint, and counted as no item
            if (body_of(ack).find("\"error\"") != std::string_view::npos)
                throw std::runtime_error(std::string(body_of(ack)));
        const std::size_t items = batch(handlers);
        send();
        pull();
        wire_.flush();
        wire_.wait(std::chrono::seconds(items < saga::core::kBatch ? 1 : 0));
    }
}

}  // namespace bench
