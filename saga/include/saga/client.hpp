// For programs beside the services: a shop's client, a bank.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <saga/detail/event_type.hpp>
#include <saga/detail/signature.hpp>
#include <saga/error.hpp>
#include <saga/outcome.hpp>
#include <string>
#include <string_view>

namespace saga {

/// One connection. Every method may be called from any thread, waits at most its timeout (5 s where
/// none is given) and throws Error with one sentence when it passes: nobody knows then whether the
/// request was heard, so ask again under the same key.
class Client {
  public:
    /// `url` as natscli takes it: "nats://127.0.0.1:4222", several with commas. Throws Error when
    /// no server answers.
    explicit Client(std::string url);
    ~Client();
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    /// Sends a command; empty when it was accepted, and then its event is durable.
    template <Event Request>
    std::optional<Refused> command(std::string_view service, std::string_view verb,
                                   const Request& request) {
        return send_command(service, verb, detail::pack(request));
    }

    /// Asks a question; the answer is the JSON text of an array of objects.
    std::string question(std::string_view service, std::string_view verb,
                         std::string_view argument = {});

    /// Answers requests of Call::request until the Client goes: `Answer(std::string_view key, const
    /// Question&)`, on one thread, one after the other. A handler that throws leaves the request
    /// unanswered, and so does a body that is no Question. Several Clients on one subject share the
    /// requests.
    template <class Handler>
    void serve(std::string subject, Handler handler) {
        using S = detail::Signature<Handler>;
        serve_typed(std::move(subject), std::move(handler), typename S::Params{});
    }

    /// Waits for the saga's last word, also when it was said before; its event's name.
    std::string ended(std::string_view saga_id, std::chrono::milliseconds timeout);

  private:
    using Answer =
        std::function<std::optional<std::vector<std::byte>>(std::string_view key, Bytes question)>;
    template <class Handler, Event Question>
    void serve_typed(std::string subject, Handler handler,
                     detail::List<std::string_view, const Question&>) {
        serve_bytes(
            std::move(subject),
            [handler = std::move(handler)](
                std::string_view key, Bytes question) -> std::optional<std::vector<std::byte>> {
                if (!detail::verify<Question>(question)) return std::nullopt;
                return detail::pack(handler(key, detail::unpack<Question>(question)));
            });
    }
    std::optional<Refused> send_command(std::string_view service, std::string_view verb,
                                        std::vector<std::byte> request);
    void serve_bytes(std::string subject, Answer answer);

    struct Connection;
    std::unique_ptr<Connection> connection_;
};

}  // namespace saga
