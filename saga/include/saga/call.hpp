// Work outside the database: a bank, a carrier, a mail server.
#pragma once

#include <chrono>
#include <saga/detail/event_type.hpp>
#include <saga/error.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace saga {

namespace detail {
struct CallPort {
    virtual ~CallPort() = default;
    virtual const std::string& key() const = 0;
    virtual int attempt() const = 0;
    virtual std::chrono::milliseconds timeout() const = 0;
    virtual const std::string& setting(std::string_view name) const = 0;
    /// Throws Error when nobody answers in time. The answer is 8-byte aligned, and hostile.
    virtual std::vector<std::byte> request(std::string_view subject, Bytes question) = 0;
};

template <Event Answer>
Answer read_answer(std::string_view subject, Bytes raw) {
    if (!verify<Answer>(raw))
        throw Error("the answer on " + std::string(subject) + " is not a " +
                    std::string(type_of<Answer>().name));
    return unpack<Answer>(raw);
}
}  // namespace detail

/// One attempt at work outside the database. Runs on a worker thread; throwing means "unknown": it
/// is made again with backoff and the same key, also after a crash or on a restored database, until
/// it answers.
class Call {
  public:
    explicit Call(detail::CallPort& port) : port_(port) {}

    /// Idempotency key: the same on every attempt; only this service and whom it asks know it.
    const std::string& key() const { return port_.key(); }
    int attempt() const { return port_.attempt(); }  ///< 1 on the first
    std::chrono::milliseconds timeout() const { return port_.timeout(); }
    /// See Service::setting. Throws std::logic_error when the service declares no such setting.
    const std::string& setting(std::string_view name) const { return port_.setting(name); }

    /// Asks over NATS and waits, at most timeout(): both bodies are FlatBuffers tables, the key
    /// travels as header `Idempotency-Key`. Throws Error when nobody answers in time or the answer
    /// does not verify.
    template <Event Answer, Event Question>
    Answer request(std::string_view subject, const Question& question) const {
        return detail::read_answer<Answer>(subject, port_.request(subject, detail::pack(question)));
    }

  private:
    detail::CallPort& port_;
};

struct CallOptions {
    std::chrono::milliseconds timeout{5'000};  ///< of one attempt
    int attempts = 20;  ///< then it is dead and waits for an operator, never "declined"
};

namespace detail {
template <Event Answer>
struct Requesting {
    std::string subject;
};
template <class Ask, class Perform, class Settle>
struct Calling {
    Ask ask;
    Perform perform;
    Settle settle;
    CallOptions options;
};
}  // namespace detail

/// The second part of a call that asks over NATS and does nothing else. As with Call::request() the
/// question goes out under the call's idempotency key, and silence, "nobody listens" and what is no
/// Answer all mean unknown: it is asked again, CallOptions::attempts times. No thread waits: up to
/// 512 such calls of a service are on their way at once. The contract names the subject. Throws
/// std::logic_error, before the service starts, where it is empty or has spaces or wildcards.
template <Event Answer>
detail::Requesting<Answer> request(std::string subject) {
    if (subject.empty() || subject.find_first_of(" \t\r\n*>") != std::string::npos)
        throw std::logic_error("a call asks on a subject without spaces and wildcards, not on \"" +
                               subject + "\"");
    return {std::move(subject)};
}

/// A handler in three parts, usable wherever a step or an undo takes a handler:
///   ask      Question(const View&, const E&...)              or Outcome<Question, Failures...>
///   perform  Answer(const Call&, const Question&)            outside any transaction,
///            or saga::request<Answer>("subject")
///   settle   Outcome<...>(Tx&, const E&..., const Answer&)   what the answer means here
/// Question and answer are tables: the question is stored, and the answer travels, sealed for this
/// service alone, in the event that it led to, so that a restored database need not ask again.
/// A crash between the answer and its commit asks again, under the same key. If the saga fails
/// meanwhile, the answer is awaited, settled, and undone in the same transaction.
template <class Ask, class Perform, class Settle>
auto call(Ask ask, Perform perform, Settle settle, CallOptions options = {}) {
    return detail::Calling<Ask, Perform, Settle>{ask, perform, settle, options};
}

}  // namespace saga
