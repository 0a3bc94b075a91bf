// What a client's command leaves.
#include <doctest/doctest.h>

#include "tests/unit/runtime/workshop.hpp"

using namespace saga;
using namespace saga::test;
using ::test::Ask;
using ::test::Asked;

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
