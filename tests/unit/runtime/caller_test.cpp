// Calls that ask over NATS, without a broker: who asks, what, and what becomes of the answer.
#include "saga/runtime/caller.hpp"

#include <doctest/doctest.h>

#include <saga/saga.hpp>

#include "saga/core/limits.hpp"
#include "test_events.hpp"
#include "tests/fuzz/silent_bus.hpp"

using namespace saga;
using namespace std::chrono_literals;

namespace {

struct Asking : fuzz::SilentBus {
    struct Question {
        std::string subject;
        core::Headers headers;
        std::string body;
        std::chrono::milliseconds timeout;
        bus::Done<std::string> done;
    };
    std::vector<Question> questions;

    void ask(const std::string& subject, const core::Headers& headers, std::string_view body,
             std::chrono::milliseconds timeout, bus::Done<std::string> done) override {
        questions.push_back({subject, headers, std::string(body), timeout, std::move(done)});
    }
};

struct Pool : runtime::Caller {
    std::vector<std::int64_t> started;
    void start(runtime::CallJob job) override { started.push_back(job.call); }
    std::size_t room(const detail::Code&) const override { return 3; }
    std::vector<runtime::CallResult> take() override {
        std::vector<runtime::CallResult> results;
        for (const std::int64_t call : std::exchange(started, {}))
            results.push_back({.call = call, .answer = {}, .why = "by a thread"});
        return results;
    }
};

::test::Question question(const View&, const ::test::Asked& asked) {
    return {.ticket = asked.ticket};
}
::test::Answer perform(const Call&, const ::test::Question&) {
    return {};
}
::test::Granted settle(Tx&, const ::test::Asked& asked, const ::test::Answer&) {
    return {.ticket = asked.ticket};
}

Service asking() {
    Service service{"granter"};
    service
        .step("ask", saga::call(question, saga::request<::test::Answer>("test.check"), settle,
                                {.timeout = 700ms}))
        .keeps();
    return service;
}
Service performing() {
    Service service{"granter"};
    service.step("perform", saga::call(question, perform, settle)).keeps();
    return service;
}

std::string text(const std::vector<std::byte>& bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

struct World {
    Asking bus;
    Pool pool;
    runtime::AskingCaller caller{bus, pool};
    Service asks = asking(), performs = performing();
    const detail::Code& by_request = asks.contract().steps.front().code;
    const detail::Code& by_function = performs.contract().steps.front().code;

    void start(std::int64_t call, const detail::Code& code) {
        caller.start({.call = call,
                      .code = &code,
                      .question = detail::pack(::test::Question{.ticket = "t"}),
                      .key = "a key"});
    }
};

}  // namespace

TEST_CASE("caller: what asks and no more is asked without a thread, under its key") {
    World w;
    w.start(7, w.by_request);
    CHECK(w.pool.started.empty());
    REQUIRE(w.bus.questions.size() == 1);
    const auto& asked = w.bus.questions.front();
    CHECK(asked.subject == "test.check");
    CHECK(asked.headers == core::Headers{{"Idempotency-Key", "a key"}});
    CHECK(asked.body == text(detail::pack(::test::Question{.ticket = "t"})));
    CHECK(asked.timeout == 700ms);
    CHECK(w.caller.take().empty());
    asked.done(text(detail::pack(::test::Answer{})));
    const auto results = w.caller.take();
    REQUIRE(results.size() == 1);
    CHECK(results[0].call == 7);
    CHECK(results[0].answer == detail::pack(::test::Answer{}));
    CHECK(w.caller.take().empty());
}

TEST_CASE("caller: silence leaves the call open and says on which subject") {
    const std::pair<bus::Problem, const char*> kTable[] = {
        {{bus::Trouble::no_responders, 0, "is JetStream on?"}, "nobody answers on test.check"},
        {{bus::Trouble::timeout, 0, "the broker is late"}, "no answer on test.check within 700 ms"},
        {{bus::Trouble::disconnected, 0, "the connection broke"},
         "no answer on test.check: the connection broke"},
    };
    for (const auto& [problem, why] : kTable) {
        World w;
        w.start(1, w.by_request);
        w.bus.questions[0].done(problem);
        const auto results = w.caller.take();
        REQUIRE(results.size() == 1);
        CHECK(!results[0].answer);
        CHECK(results[0].why == why);
    }
}

TEST_CASE("caller: what is no answer leaves the call open") {
    World w;
    w.start(1, w.by_request);
    w.bus.questions[0].done(std::string("these are no bytes of a table"));
    const auto results = w.caller.take();
    REQUIRE(results.size() == 1);
    CHECK(!results[0].answer);
    CHECK(results[0].why == "the answer on test.check is not a Answer");
}

TEST_CASE("caller: so many are on their way at once, and a function's have room of their own") {
    World w;
    CHECK(w.caller.room(w.by_function) == 3);
    for (std::size_t i = 0; i < core::kMaxAsked; ++i)
        w.start(static_cast<std::int64_t>(i), w.by_request);
    CHECK(w.caller.room(w.by_request) == 0);
    CHECK(w.caller.room(w.by_function) == 3);
    w.start(4'711, w.by_function);
    CHECK(w.pool.started == std::vector<std::int64_t>{4'711});
    w.bus.questions.back().done(text(detail::pack(::test::Answer{})));
    CHECK(w.caller.room(w.by_request) == 1);
    CHECK(w.caller.take().size() == 2);
}

TEST_CASE("caller: a subject that nobody can answer on is refused when it is declared") {
    for (const char* subject : {"", "bank charge", "bank.*", "bank.>", "bank\n"}) {
        CAPTURE(subject);
        CHECK_THROWS_AS(saga::request<::test::Answer>(subject), std::logic_error);
    }
}
