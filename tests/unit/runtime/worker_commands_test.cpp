// What a client's command leaves.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/unit/runtime/workshop.hpp"

using namespace saga;
using namespace saga::test;
using ::test::Ask;
using ::test::Asked;
using ::test::Closed;

namespace {

Reply<Asked> ask(const View&, const Ask& ask) {
    return Asked{.ticket = ask.ticket};
}
void note(Tx& tx, const Asked& asked) {
    tx.exec("INSERT INTO noted VALUES (?1)", asked.ticket);
}
Service noting_asker() {
    Service service{"asker", "CREATE TABLE noted (ticket TEXT PRIMARY KEY) STRICT"};
    service.command("ask", &Ask::ticket, ask);
    service.step("note", note).keeps();
    return service;
}

Reply<Closed> cancel(const View& db, const Ask& ask) {
    if (!db.seen<Asked>()) return Refused{"unknown", "nobody asked for " + ask.ticket};
    return Closed{.ticket = ask.ticket};
}
Service asker_with_cancel() {
    Service service = noting_asker();
    service.command("cancel", &Ask::ticket, cancel).asks_undo();
    return service;
}

nlohmann::json say(Workshop& service, std::string verb, std::vector<std::byte> body) {
    service.in().requests.push_back({std::move(verb), std::move(body), 1});
    const runtime::Committed done = service.worker().round(service.in(), Stream().now);
    REQUIRE(done.replies.size() == 1);
    service.work();
    return nlohmann::json::parse(done.replies.front().json);
}
nlohmann::json undo(Workshop& service, const std::string& body) {
    const auto bytes = std::as_bytes(std::span(body));
    return say(service, "undo", {bytes.begin(), bytes.end()});
}

}  // namespace

TEST_CASE("commands: what is accepted is an event; its steps run when it is read") {
    Stream stream;
    Workshop asker{noting_asker(), stream};
    asker.in().requests.push_back({"ask", detail::pack(Ask{.ticket = "t"}), 1});
    const runtime::Committed done = asker.worker().round(asker.in(), stream.now);
    REQUIRE(done.replies.size() == 1);
    CHECK(done.published.size() == 1);
    CHECK(asker.value("SELECT count(*) FROM outbox") == 1);
    CHECK(asker.value("SELECT count(*) FROM journal") == 0);
    CHECK(asker.value("SELECT count(*) FROM noted") == 0);
    asker.work();
    CHECK(asker.value("SELECT count(*) FROM journal") == 1);
    CHECK(asker.value("SELECT count(*) FROM noted") == 1);
}

TEST_CASE("commands: an operator's undo asks as a client does, and its reason stands beside it") {
    Stream stream;
    Workshop asker{asker_with_cancel(), stream};
    const std::string body = R"({"saga":"t","reason":"a mistake"})";
    CHECK(undo(asker, body)["refused"]["code"] == "unknown");
    CHECK(asker.value("SELECT count(*) FROM outbox") == 0);
    say(asker, "ask", detail::pack(Ask{.ticket = "t"}));
    const nlohmann::json first = undo(asker, body);
    CHECK(first["accepted"]["event"] == "Closed");
    CHECK(undo(asker, body) == first);  // asked twice, and said twice
    CHECK(stream.count("Closed") == 1);
    CHECK(stream.count("OperatorActed") == 2);
    CHECK(asker.letters().empty());
    // A client's own request is the same one.
    CHECK(say(asker, "cancel", detail::pack(Ask{.ticket = "t"})) == first);
    CHECK(say(asker, "cancel", detail::pack(Ask{.ticket = "t", .amount = 7}))["refused"]["code"] ==
          "conflict");
    for (const char* junk : {"", "{}", "t", R"({"saga":7})", R"({"saga":"a b"})"})
        CHECK(undo(asker, junk)["refused"]["code"] == "invalid");
}

TEST_CASE("commands: an operator's undo is what a client asked for, with more in the body") {
    Stream stream;
    Workshop asker{asker_with_cancel(), stream};
    say(asker, "ask", detail::pack(Ask{.ticket = "t"}));
    const nlohmann::json first =
        say(asker, "cancel", detail::pack(Ask{.ticket = "t", .amount = 7}));
    CHECK(first["accepted"]["event"] == "Closed");
    CHECK(undo(asker, R"({"saga":"t","reason":"a mistake"})") == first);
    CHECK(stream.count("Closed") == 1);
    CHECK(stream.count("OperatorActed") == 1);
    CHECK(asker.letters().empty());
}

TEST_CASE("commands: an operator's undo is caught up with") {
    Stream stream;
    {
        Workshop asker{asker_with_cancel(), stream};
        say(asker, "ask", detail::pack(Ask{.ticket = "t"}));
        undo(asker, R"({"saga":"t","reason":"a mistake"})");
    }
    Workshop restored{asker_with_cancel(), stream};
    restored.begin_catch_up();
    restored.work();
    restored.end_catch_up();
    restored.work();
    CHECK(restored.letters().empty());
    CHECK(restored.value("SELECT count(*) FROM outbox") == 3);
    CHECK(stream.messages.size() == 3);
}
