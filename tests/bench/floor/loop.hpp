// One service of the floor: reads its part of the stream in order, does what is to be done for a
// batch of messages in one transaction, and publishes what was committed. No rule of the engine is
// kept: nothing is retried, deduplicated, undone or looked at twice.
#pragma once

#include <functional>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "saga/core/envelope.hpp"
#include "tests/bench/floor/wire.hpp"

namespace bench {

struct EventIdHash {
    std::size_t operator()(const EventId& id) const {
        return std::hash<std::string_view>{}(
            {reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size()});
    }
};

struct Out {
    std::string_view type;  ///< "shop.payment.PaymentTaken"
    std::string_view step;
    saga::Kind kind = saga::Kind::done;
};

class Loop {
  public:
    Loop(std::string service, const std::string& url, const std::string& folder,
         const char* tables);

    const Database& db() const { return db_; }
    const std::string& service() const { return service_; }

    // ---- inside a transaction ----
    void journal(std::string_view saga, std::string_view step, const EventId& event,
                 Bytes result = {});
    /// Into the outbox; published after the commit. `cause` is null for a saga's first event.
    EventId emit(const saga::core::Envelope* cause, std::string_view saga, const Out& out,
                 Bytes payload);
    /// Asked after the commit; the answer comes in a later transaction.
    void ask(const std::string& subject, Bytes question,
             std::function<void(std::string_view)> answered);

    struct Handlers {
        std::vector<std::string> filters;
        std::function<void(const saga::core::Envelope&)> event;
        std::string requests;                                  ///< subject; may be empty
        std::function<std::string(std::string_view)> request;  ///< body to answer
    };
    /// Until SIGTERM.
    void run(const Handlers& handlers);

  private:
    struct Row {
        std::string subject;
        std::vector<std::byte> envelope;
        saga::core::Headers headers;
    };
    struct Question {
        std::string subject;
        std::vector<std::byte> body;
        std::function<void(std::string_view)> answered;
    };
    void open_consumer(const std::vector<std::string>& filters);
    void pull();
    bool wants(std::string_view subject) const;
    std::size_t batch(const Handlers& handlers);
    void take_message(natsMsg* message, const Handlers& handlers);
    void take_answer(natsMsg* message);
    void send();
    EventId next_id(saga::Time started);

    std::string service_;
    Wire wire_;
    Database db_;
    Prepared journal_, outbox_, settle_, cursor_;
    natsSubscription *messages_ = nullptr, *acks_ = nullptr, *answers_ = nullptr,
                     *requests_ = nullptr;
    std::unordered_set<std::string> wanted_;  ///< filters without "saga." and ".>"
    std::vector<Row> committed_;
    std::vector<Question> questions_;
    std::vector<std::pair<std::string, std::string>> replies_;
    std::unordered_map<std::uint64_t, std::function<void(std::string_view)>> asked_;
    std::unordered_map<EventId, std::int64_t, EventIdHash> unsettled_;
    std::uint64_t last_question_ = 0, read_to_ = 0, last_id_ = 0, salt_ = 0;
    std::int64_t last_row_ = 0;
    std::uint64_t owed_ = 0;
};

}  // namespace bench
