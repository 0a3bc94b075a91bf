// What a round commits.
#include <doctest/doctest.h>
#include <sqlite3.h>

#include "tests/unit/runtime/workshop.hpp"

using namespace saga;
using namespace saga::test;
using ::test::Asked;
using ::test::Checked;

TEST_CASE("worker: a round is one transaction, whatever it does") {
    Stream stream;
    Workshop granter{testing::granter(), stream};
    stream.put(Asked{.ticket = "a", .amount = 1}, "a");
    stream.put(Asked{.ticket = "b", .amount = 2}, "b");
    stream.put("saga.asker.done.Asked.p00", {});  // nothing that can be read
    granter.in().messages = {stream.messages.begin(), stream.messages.end()};
    int commits = 0;
    const auto count = [](void* sum) { return ++*static_cast<int*>(sum), 0; };
    sqlite3_commit_hook(granter.store().db().handle(), count, &commits);
    granter.worker().round(granter.in(), stream.now);
    CHECK(commits == 1);
    CHECK(granter.value("SELECT seq FROM cursor") == 3);
    CHECK(granter.value("SELECT sum(amount) FROM grants") == 3);
    CHECK(granter.value("SELECT count(*) FROM aside") == 1);
    granter.worker().round(granter.in(), stream.now);
    CHECK(commits == 1);  // nothing is ready
    sqlite3_commit_hook(granter.store().db().handle(), nullptr, nullptr);
}

TEST_CASE("worker: what was read back is settled once it is committed, for the relay as well") {
    using ::test::Granted;
    Stream stream;
    Workshop granter{testing::granter(), stream};
    stream.put(Asked{.ticket = "a", .amount = 1}, "a");
    granter.in().messages = {stream.messages.back()};
    granter.worker().round(granter.in(), stream.now);
    store::OutboxRow row = granter.store().outbox.unsettled_after(0, 1).at(0);
    granter.outgoing().add({.seq = row.seq, .saga = row.saga});
    stream.put(row.subject, row.envelope);
    const runtime::Delivery own = stream.messages.back();
    stream.put(Granted{.ticket = "b"}, "b");  // under its name, and not of it: nothing is committed
    granter.in().messages = {own, stream.messages.back()};
    CHECK_THROWS_AS(granter.worker().round(granter.in(), stream.now), runtime::ForeignInstance);
    CHECK(granter.outgoing().unsettled() == 1);
    granter.in().messages = {own};
    granter.worker().round(granter.in(), stream.now);
    CHECK(granter.outgoing().unsettled() == 0);
}

TEST_CASE("worker: a half of a join that is gone from the file is missed, and nothing is made up") {
    using ::test::Granted;
    const auto both = [](Tx&, const Asked& asked, const Checked&) {
        return Granted{.ticket = asked.ticket};
    };
    Service service{"granter"};
    service.step("join", both).keeps();
    Stream stream;
    Workshop granter{std::move(service), stream};
    stream.put(Asked{.ticket = "a", .amount = 1}, "a");
    granter.work();
    granter.store().db().exec("DELETE FROM arrived");
    stream.put(Checked{.ticket = "a"}, "a");
    CHECK_THROWS_WITH_AS(granter.work(), "a half of join is gone", store::Broken);
    CHECK(stream.count("Granted") == 0);
}
