// For programs beside the services: a shop's client, a bank.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <saga/address.hpp>
#include <saga/detail/event_type.hpp>
#include <saga/detail/signature.hpp>
#include <saga/error.hpp>
#include <saga/outcome.hpp>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace saga {

/// A saga's last word. Valid while it is told.
struct Ended {
    EventId id;
    std::string_view saga_id;
    std::string_view event;    ///< "OrderRejected"
    std::string_view because;  ///< the failure that failed the saga, "StockShort"; empty: it held
    Time time;                 ///< when it was said
};

/// One connection. Every method may be called from any thread, waits at most its timeout (5 s where
/// none is given) and throws Error with one sentence when it passes: nobody knows then whether the
/// request was heard, so ask again under the same key.
class Client {
  public:
    /// Throws Error when no server answers, or none lets it in.
    explicit Client(Address address);
    ~Client();
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    /// Sends a command; empty when it was accepted, and then its event is durable.
    template <Event Request>
    std::optional<Refused> command(std::string_view service, std::string_view verb,
                                   const Request& request) {
        return send_command(service, verb, detail::pack(request));
    }

    /// Asks a question; the answer is the JSON text of an array of objects, of a service in shards
    /// of what all of them say, one after the other. One that answers page by page is asked shard
    /// by shard: see instances().
    std::string question(std::string_view service, std::string_view verb,
                         std::string_view argument = {});

    /// Who acts for the service, each a name that question() takes in place of the service's: of
    /// one that is not split, its own name.
    std::vector<std::string> instances(std::string_view service);

    /// Asks whoever serves `subject` outside the sagas, a bank, as Call::request does: `key` is
    /// the header `Idempotency-Key`. Throws Error also when the answer does not verify.
    template <Event Answer, Event Question>
    Answer request(std::string_view subject, const Question& question, std::string_view key = {},
                   std::chrono::milliseconds timeout = std::chrono::seconds(5)) {
        const std::vector<std::byte> answer = ask(subject, detail::pack(question), key, timeout);
        if (!detail::verify<Answer>(answer))
            throw Error("the answer on " + std::string(subject) + " is not a " +
                        std::string(detail::type_of<Answer>().name));
        return detail::unpack<Answer>(answer);
    }

    /// Answers requests of Call::request until the Client goes: `Answer(std::string_view key, const
    /// Question&)`. All handlers of a Client run on one thread of its own, one after the other. One
    /// that throws leaves the request unanswered, and so does a body that is no Question. Several
    /// Clients on one subject share the requests. When it returns, the broker hands them over; one
    /// that is away does so once it is back.
    template <class Handler>
    void serve(const std::string& subject, Handler handler) {
        using S = detail::Signature<Handler>;
        serve_typed(subject, std::move(handler), typename S::Params{});
    }

    template <Event Question>
    struct Asked {
        std::string_view key;
        Question question;
    };
    /// As serve, for whoever commits once for many: `std::vector<std::optional<Answer>>(
    /// std::span<const Asked<Question>>)`, one a question and none for silence, gets what has come
    /// meanwhile, at most 256.
    template <class Handler>
    void serve_batches(const std::string& subject, Handler handler) {
        using S = detail::Signature<Handler>;
        serve_batches_typed(subject, std::move(handler), typename S::Params{});
    }

    /// Waits for the saga's last word, also when it was said before; its event's name.
    std::string ended(std::string_view saga_id, std::chrono::milliseconds timeout);

    /// Tells, on this thread and in the stream's order, the last word of every saga that the stream
    /// still holds, then those that are said from now on. For whoever waits for many sagas: one
    /// reader for all of them. Returns true once `on_ended` answers false, and false when nobody
    /// said a last word for as long as `quiet`, or `stop` is asked for. A `quiet` of zero: tells
    /// what has been said so far and returns.
    ///
    /// It goes on through a broker that dies and comes back, and waits for one that is away. A
    /// broker that lost its newest messages gets them again from their services, below the place
    /// that was read: so after a quiet time with sagas still missing call it again, which tells
    /// everything from the beginning. A word can be told twice, with the same id.
    bool watch_ended(const std::function<bool(const Ended&)>& on_ended,
                     std::chrono::milliseconds quiet, std::stop_token stop = {});

  private:
    struct RawQuestion {
        std::string_view key;
        Bytes body;
    };
    using RawAnswer = std::optional<std::vector<std::byte>>;  // none: silence
    using Answers = std::function<std::vector<RawAnswer>(std::span<const RawQuestion>)>;

    template <class Handler, Event Question>
    void serve_typed(const std::string& subject, Handler handler,
                     detail::List<std::string_view, const Question&>) {
        serve_bytes(subject, 1, [handler = std::move(handler)](std::span<const RawQuestion> asked) {
            const RawQuestion& one = asked.front();
            if (!detail::verify<Question>(one.body)) return std::vector{RawAnswer{}};
            return std::vector{
                RawAnswer{detail::pack(handler(one.key, detail::unpack<Question>(one.body)))}};
        });
    }
    template <class Handler, Event Question>
    void serve_batches_typed(const std::string& subject, Handler handler,
                             detail::List<std::span<const Asked<Question>>>) {
        serve_bytes(
            subject, 256, [handler = std::move(handler)](std::span<const RawQuestion> asked) {
                std::vector<Asked<Question>> sound;
                std::vector<std::size_t> places;
                for (std::size_t i = 0; i < asked.size(); ++i) {
                    if (!detail::verify<Question>(asked[i].body)) continue;
                    sound.push_back({asked[i].key, detail::unpack<Question>(asked[i].body)});
                    places.push_back(i);
                }
                const auto answers = handler(sound);
                std::vector<RawAnswer> raw(asked.size());
                for (std::size_t i = 0; i < places.size(); ++i)
                    if (answers.at(i)) raw[places[i]] = detail::pack(*answers[i]);
                return raw;
            });
    }
    std::optional<Refused> send_command(std::string_view service, std::string_view verb,
                                        std::vector<std::byte> request);
    std::vector<std::byte> ask(std::string_view subject, std::vector<std::byte> question,
                               std::string_view key, std::chrono::milliseconds timeout);
    void serve_bytes(const std::string& subject, std::size_t most, Answers answers);

    struct Connection;
    std::unique_ptr<Connection> connection_;
};

}  // namespace saga
