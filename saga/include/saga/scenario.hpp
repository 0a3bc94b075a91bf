// Tests a service's handlers without broker, threads or waiting: given events, what does it emit?
//
// Every delivery is made twice, with the same event id: a handler that depends on being run once
// fails here. What the service publishes it reads back, as from the stream. Time stands still until
// elapse(). Calls are not performed: called() sees the question, answer() answers.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <ostream>
#include <saga/service.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace saga::testing {

/// The result of a check; prints what was there instead: CHECK(s.emitted(PaymentTaken{...})).
struct Verdict {
    bool ok = true;
    std::string why;
    explicit operator bool() const { return ok; }
    friend std::ostream& operator<<(std::ostream& out, const Verdict& verdict) {
        return out << verdict.why;
    }
};

/// One service, one saga, one database in memory. Not copyable; one thread.
class Scenario {
  public:
    explicit Scenario(Service service, std::string saga_id = "o1");
    ~Scenario();
    Scenario(const Scenario&) = delete;
    Scenario& operator=(const Scenario&) = delete;

    Scenario& sql(std::string_view statements);  ///< Business rows that stand before.

    /// Another service, or this one, has published the event: as a step forward, a failure, a fact
    /// of the way back, or the saga's last word. Each is an event of its own, delivered twice.
    template <Event E>
    Scenario& given(const E& event) {
        return deliver(event, Kind::done);
    }
    template <Event E>
    Scenario& given_failed(const E& event) {
        return deliver(event, Kind::failed);
    }
    template <Event E>
    Scenario& given_undone(const E& event) {
        return deliver(event, Kind::undone);
    }
    template <Event E>
    Scenario& given_ended(const E& event) {
        return deliver(event, Kind::ended);
    }

    /// Fires the timers that fall due, in order, and makes the attempts that do.
    Scenario& elapse(std::chrono::milliseconds time);

    /// A client asks; the accepted event is emitted, and read back as from the stream.
    template <Event R>
    Verdict accepted(std::string_view verb, const R& request) {
        return command(verb, detail::pack(request), "");
    }
    template <Event R>
    Verdict refused(std::string_view verb, const R& request, std::string_view code) {
        return command(verb, detail::pack(request), code);
    }

    /// The oldest open call asked exactly this; the next answer() or silence() is for it.
    template <Event Question>
    Verdict called(const Question& question) {
        return called(detail::type_of<Question>(), detail::pack(question));
    }
    /// Throws std::logic_error when no call is open.
    template <Event Answer>
    Scenario& answer(const Answer& answer) {
        return settle(detail::pack(answer));
    }
    Scenario& silence();  ///< The attempt timed out: nobody knows whether it was heard.

    /// The next event in the outbox is this one, of whatever kind; consumed by the check.
    template <Event E>
    Verdict emitted(const E& event) {
        return emitted(detail::type_of<E>(), detail::pack(event));
    }
    /// The next dead letter's reason contains this; consumed by the check.
    Verdict dead(std::string_view reason);
    /// Nothing more in the outbox, no call open, no dead letter.
    Verdict quiet() const;
    std::int64_t value(std::string_view select);  ///< The first column of the first row.

  private:
    template <Event E>
    Scenario& deliver(const E& event, Kind kind) {
        return deliver(detail::type_of<E>(), detail::pack(event), kind);
    }
    Scenario& deliver(const detail::EventType& type, std::vector<std::byte> payload, Kind kind);
    Scenario& settle(std::vector<std::byte> answer);
    Verdict command(std::string_view verb, std::vector<std::byte> request,
                    std::string_view refusal);
    Verdict called(const detail::EventType& type, const std::vector<std::byte>& question);
    Verdict emitted(const detail::EventType& type, const std::vector<std::byte>& payload);

    struct World;
    std::unique_ptr<World> world_;
};

}  // namespace saga::testing
