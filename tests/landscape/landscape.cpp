#include "tests/landscape/landscape.hpp"

namespace saga::testing {

using namespace test;

namespace {

constexpr auto kGrants = R"sql(
    CREATE TABLE grants (
        ticket TEXT PRIMARY KEY,
        amount INTEGER NOT NULL
    ) STRICT;
)sql";
constexpr auto kChecks = "CREATE TABLE checks (ticket TEXT PRIMARY KEY, verdict TEXT) STRICT";
constexpr auto kSeen = "CREATE TABLE seen (type TEXT PRIMARY KEY, times INTEGER NOT NULL) STRICT";

saga::Reply<Asked> ask(const View&, const Ask& ask) {
    if (ask.amount < 0) return Refused{"invalid", "an amount is not negative"};
    return Asked{.ticket = ask.ticket, .amount = ask.amount};
}
Closed close(Tx&, const Checked& checked) {
    return {.ticket = checked.ticket};
}
GaveUp give_up(Tx& tx, const Failed& failure) {
    return {.ticket = tx.saga_id(), .reason = failure.event};
}

Outcome<Granted, Denied> grant(Tx& tx, const Asked& asked) {
    tx.exec("INSERT INTO grants VALUES (?1, ?2)", asked.ticket, asked.amount);
    const auto all = tx.find<std::int64_t>("SELECT sum(amount) FROM grants");
    if (all.value_or(0) > 100) return Denied{.ticket = asked.ticket};
    return Granted{.ticket = asked.ticket, .amount = asked.amount};
}
Revoked revoke(Tx& tx, const Granted& granted) {
    tx.exec("DELETE FROM grants WHERE ticket = ?1", granted.ticket);
    return {.ticket = granted.ticket};
}
Overdue chase(Tx&, const Granted& granted) {
    return {.ticket = granted.ticket};
}

Outcome<Checked, Rejected> check(Tx& tx, const Granted& granted) {
    if (granted.amount == 13) return Rejected{.ticket = granted.ticket};
    tx.exec("INSERT INTO checks VALUES (?1, 'sound')", granted.ticket);
    return Checked{.ticket = granted.ticket};
}

Question question(const View&, const Granted& granted) {
    return {.ticket = granted.ticket};
}
Answer asked_outside(const Call& call, const Question& question) {
    return call.request<Answer>("test.check", question);
}
Outcome<Checked, Rejected> judge(Tx& tx, const Granted& granted, const Answer& answer) {
    if (answer.verdict == "no") return Rejected{.ticket = granted.ticket};
    tx.exec("INSERT INTO checks VALUES (?1, ?2)", granted.ticket, answer.verdict);
    return Checked{.ticket = granted.ticket};
}

Question take_back(const View&, const Checked& checked) {
    return {.ticket = checked.ticket};
}
Answer asked_to_withdraw(const Call& call, const Question& question) {
    return call.request<Answer>("test.withdraw", question);
}
Withdrawn withdraw(Tx& tx, const Checked& checked, const Answer&) {
    tx.exec("DELETE FROM checks WHERE ticket = ?1", checked.ticket);
    return {.ticket = checked.ticket};
}

void count(Tx& tx, const AnyEvent& event) {
    tx.exec("INSERT INTO seen VALUES (?1, 1) ON CONFLICT DO UPDATE SET times = times + 1",
            event.type);
}

}  // namespace

Service asker() {
    Service service{"asker"};
    service.command("ask", &Ask::ticket, ask);
    service.step("close", close).ends_saga();
    service.step("give_up", give_up).ends_saga();
    return service;
}

Service granter(std::chrono::milliseconds patience) {
    Service service{"granter", kGrants};
    service.step("grant", grant).undo(revoke).expect<Checked>(patience, chase);
    service.question("grants", "SELECT ticket, amount FROM grants WHERE ticket = ?1 OR ?1 = ''");
    service.by_saga("grants", "ticket");
    return service;
}

Service auditor() {
    Service service{"auditor", kChecks};
    service.step("check", check).pivot();
    return service;
}

Service calling_auditor() {
    Service service{"auditor", kChecks};
    service.step("check", call(question, asked_outside, judge)).pivot();
    return service;
}

Service undoing_auditor() {
    const CallOptions options{.timeout = std::chrono::seconds(3)};
    Service service{"auditor", kChecks};
    service.step("check", call(question, asked_outside, judge, options))
        .undo(call(take_back, asked_to_withdraw, withdraw, options));
    return service;
}

Service reader() {
    Service service{"reader", kSeen};
    service.on(count);
    return service;
}

}  // namespace saga::testing
