#include "saga/flow/permissions.hpp"

#include <doctest/doctest.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <saga/error.hpp>

#include "tests/flow/choreography.hpp"

using namespace saga;
using namespace saga::test;

namespace {

flow::Programs bank() {
    return {.clients = {{"web", {"order.place"}}},
            .answers = {{"bank", {"bank.charge", "bank.rates"}}},
            .asks = {{"payment", {"bank.charge"}}, {"web", {"bank.rates"}}}};
}

flow::User user(const std::vector<flow::User>& users, std::string_view name) {
    const auto found = std::find_if(users.begin(), users.end(),
                                    [&](const flow::User& each) { return each.name == name; });
    REQUIRE(found != users.end());
    return *found;
}

std::string lines(const std::vector<std::string>& subjects) {
    return fmt::format("{}", fmt::join(subjects, "\n"));
}

/// What is wrong with them, and empty where nothing is.
std::string refusal(const std::vector<flow::Contract>& contracts, const flow::Programs& programs) {
    try {
        flow::users_of(contracts, programs);
        return "";
    } catch (const Error& error) {
        return error.what();
    }
}

bool has(const std::vector<std::string>& subjects, std::string_view subject) {
    return std::find(subjects.begin(), subjects.end(), subject) != subjects.end();
}

}  // namespace

TEST_CASE("permissions: a service says its own events, and hears its own requests") {
    const flow::User payment = user(flow::users_of(choreography(kShop), bank()), "payment");
    CHECK(payment.inbox == "_SAGA.payment");
    CHECK(payment.publish_never.empty());
    CHECK(lines(payment.publish) ==
          "$JS.API.CONSUMER.CREATE.SAGA.payment\n"
          "$JS.API.CONSUMER.CREATE.SAGA.payment.>\n"
          "$JS.API.CONSUMER.DELETE.SAGA.payment\n"
          "$JS.API.CONSUMER.INFO.SAGA.payment\n"
          "$JS.API.CONSUMER.MSG.NEXT.SAGA.payment\n"
          "$JS.API.DIRECT.GET.KV_SAGA_OWNERS.$KV.SAGA_OWNERS.payment\n"
          "$JS.API.STREAM.INFO.SAGA\n"
          "$JS.API.STREAM.MSG.GET.SAGA\n"
          "$KV.SAGA_CONTRACTS.payment\n"
          "$KV.SAGA_OWNERS.payment\n"
          "_INBOX.bank.>\n"
          "_INBOX.observer.>\n"
          "_INBOX.operator.>\n"
          "_INBOX.web.>\n"
          "_SAGA.payment.>\n"
          "bank.charge\n"
          "saga-ctl.payment.owner\n"
          "saga-dlq.payment.>\n"
          "saga.payment.done.OperatorActed.>\n"
          "saga.payment.done.Overdue.>\n"
          "saga.payment.done.Taken.>\n"
          "saga.payment.failed.Declined.>\n"
          "saga.payment.undone.Refunded.>\n"
          "saga.payment.undone.Taken.>");
    CHECK(lines(payment.subscribe) ==
          "$SRV.INFO\n$SRV.INFO.payment\n$SRV.INFO.payment.*\n"
          "$SRV.PING\n$SRV.PING.payment\n$SRV.PING.payment.*\n"
          "$SRV.STATS\n$SRV.STATS.payment\n$SRV.STATS.payment.*\n"
          "_SAGA.payment.>\n"
          "saga-ctl.payment.*");
}

TEST_CASE("permissions: a saga's last word is of no other kind") {
    const flow::User order = user(flow::users_of(choreography(kShop), {}), "order");
    CHECK(has(order.publish, "saga.order.ended.Confirmed.>"));
    CHECK_FALSE(has(order.publish, "saga.order.done.Confirmed.>"));
    CHECK_FALSE(has(order.publish, "saga.order.undone.Rejected.>"));
}

TEST_CASE("permissions: a program answers whoever asks it, a client sends what it was given") {
    const auto users = flow::users_of(choreography(kShop), bank());
    const flow::User answering = user(users, "bank");
    CHECK(lines(answering.publish) == "_INBOX.web.>\n_SAGA.payment.>");
    CHECK(lines(answering.subscribe) == "_INBOX.bank.>\nbank.charge\nbank.rates");
    const flow::User web = user(users, "web");
    CHECK(lines(web.subscribe) == "_INBOX.web.>");
    CHECK(has(web.publish, "saga-ctl.order.place"));
    CHECK(has(web.publish, "bank.rates"));
    CHECK_FALSE(has(web.publish, "saga-ctl.order.cancel"));
    CHECK(has(web.publish, "$JS.API.CONSUMER.CREATE.SAGA.*.saga.*.ended.>"));
    const auto all = flow::users_of(choreography(kShop), {.clients = {{"web", {}}}});
    CHECK(has(user(all, "web").publish, "saga-ctl.order.cancel"));
}

TEST_CASE("permissions: a service asks where its contract says that it calls") {
    std::vector<flow::Contract> contracts = choreography(kShop);
    const auto payment = std::find_if(contracts.begin(), contracts.end(),
                                      [](const auto& each) { return each.service == "payment"; });
    REQUIRE(payment != contracts.end());
    payment->steps.front().calls_subject = "bank.charge";
    const auto alone = flow::users_of(contracts, {});
    CHECK(has(user(alone, "payment").publish, "bank.charge"));
    const auto users = flow::users_of(contracts, {.answers = {{"bank", {"bank.charge"}}}});
    CHECK(lines(user(users, "bank").publish) == "_SAGA.payment.>");
    payment->steps.front().undo_calls_subject = "bank.>";
    CHECK(refusal(contracts, {}).find("bank.>") != std::string::npos);
}

TEST_CASE("permissions: who reads the stream makes any consumer but a service's") {
    for (const auto& each : flow::users_of(choreography(kShop), bank())) {
        CAPTURE(each.name);
        const bool views =
            each.role != flow::User::Role::service && each.role != flow::User::Role::outside;
        CHECK(has(each.publish, "$JS.API.CONSUMER.MSG.NEXT.SAGA.*") == views);
        for (const auto* never :
             {"$JS.API.CONSUMER.CREATE.SAGA.order", "$JS.API.CONSUMER.CREATE.SAGA.order.>",
              "$JS.API.CONSUMER.DELETE.SAGA.order", "$JS.API.CONSUMER.MSG.NEXT.SAGA.order"})
            CHECK(has(each.publish_never, never) == views);
    }
}

TEST_CASE("permissions: the observer looks and answers, and acts on nothing") {
    const auto users = flow::users_of(choreography(kShop), {});
    const flow::User observer = user(users, "observer"), op = user(users, "operator");
    CHECK(has(observer.subscribe, "saga-ctl.observer.*"));
    for (const std::string& subject : observer.publish)
        CHECK_MESSAGE((has(op.publish, subject) || subject.starts_with("_INBOX.") ||
                       subject.starts_with("_SAGA.observer.")),
                      subject);
    for (const auto* acts :
         {"saga-ctl.*.retry", "saga-ctl.*.skip", "saga-ctl.*.drop", "saga-ctl.*.undo",
          "saga-ctl.*.backup", "$JS.API.STREAM.CREATE.SAGA", "$KV.SAGA_CONTRACTS.*"}) {
        CHECK(has(op.publish, acts));
        CHECK_FALSE(has(observer.publish, acts));
    }
}

TEST_CASE("permissions: a release may send again what the one before it published") {
    auto contracts = choreography("till: command pay -> Paid\n");
    const auto before = choreography("till: command pay -> Payed\ntill: command ask -> Asked\n");
    contracts.insert(contracts.end(), before.begin(), before.end());
    const flow::User till = user(flow::users_of(contracts, {}), "till");
    for (const auto* event : {"Paid", "Payed", "Asked"})
        CHECK(has(till.publish, fmt::format("saga.till.done.{}.>", event)));
}

TEST_CASE("permissions: a contract reaches no further than its own service's subjects") {
    const auto one = [](const std::string& service, const std::string& event,
                        const std::string& verb) {
        return std::vector<flow::Contract>{
            {.service = service,
             .steps = {},
             .reactions = {},
             .commands = {{.verb = verb, .request = "", .accepts = event, .ends_saga = false}},
             .questions = {},
             .schemas = {}}};
    };
    CHECK(refusal(one("till", "s.till.Paid", "pay"), {}) == "");
    CHECK(refusal(one("*", "s.till.Paid", "pay"), {}).starts_with("a user's name is"));
    CHECK(refusal(one("till\"\n", "s.till.Paid", "pay"), {}).starts_with("a user's name is"));
    CHECK(refusal(one("till", "s.till.>", "pay"), {}).starts_with("till cannot publish s.till.>"));
    CHECK(refusal(one("till", "s.desk.Paid", "pay"), {}).starts_with("till cannot publish"));
    CHECK(refusal(one("till", "s.till.Paid", ">"), {}).starts_with("a verb of till is"));
    CHECK(refusal(one("operator", "s.operator.Paid", "pay"), {}) ==
          "two users would be named operator: rename one");
}

TEST_CASE("permissions: programs that do not fit are named") {
    const auto shop = choreography(kShop);
    CHECK(
        refusal(shop, {.clients = {{"order", {}}}}).starts_with("two users would be named order"));
    CHECK(refusal(shop, {.clients = {{"web", {"order.plaice"}}}})
              .starts_with("web may ask order.plaice, which is no command"));
    CHECK(refusal(shop, {.asks = {{"payment", {"bank.charge"}}}}) ==
          "payment asks on bank.charge, where no program answers");
    CHECK(refusal(shop, {.answers = {{"bank", {"b"}}}, .asks = {{"nobody", {"b"}}}}) ==
          "nobody asks, and is no service or program here");
    for (const auto* subject : {"", ">", "bank.*", "bank.", ".bank", "a b", "saga.order.done",
                                "saga-ctl.order.place", "_SAGA.order.x", "$JS.API.INFO"}) {
        CAPTURE(subject);
        CHECK(refusal(shop, {.answers = {{"bank", {subject}}}}) != "");
    }
}

TEST_CASE("permissions: the text is the same each time, and the JSON says the same") {
    const auto users = flow::users_of(choreography(kShop), bank());
    flow::Keys keys;
    for (const flow::User& each : users) keys[each.name] = "U" + each.name;
    const std::string text = flow::to_config(users, keys);
    CHECK(text == flow::to_config(flow::users_of(choreography(kShop), bank()), keys));
    const auto json = nlohmann::json::parse(flow::to_json(users, keys));
    REQUIRE(json["users"].size() == users.size());
    for (const auto& each : json["users"]) {
        CHECK(text.find(fmt::format("nkey = \"{}\"", each["nkey"].get<std::string>())) !=
              std::string::npos);
        for (const auto& subject : each["publish"]["allow"])
            CHECK(text.find(fmt::format("\"{}\"\n", subject.get<std::string>())) !=
                  std::string::npos);
        // To nats-server, a list that is not there permits everything.
        CHECK_FALSE(each["publish"]["allow"].empty());
        CHECK_FALSE(each["subscribe"]["allow"].empty());
    }
    CHECK(nlohmann::json::parse(flow::to_json(users, {}))["users"][0]["nkey"] == "");
}

TEST_CASE("permissions: shards act under their own names, and their service's") {
    flow::Programs programs = bank();
    programs.shards = {{"payment", {1, 2}}};
    const auto users = flow::users_of(choreography(kShop), programs);
    const flow::User whole = user(flow::users_of(choreography(kShop), bank()), "payment");
    const flow::User split = user(users, "payment");
    for (const std::string& subject : whole.publish) CHECK(has(split.publish, subject));
    for (const char* name : {"payment-0-of-2", "payment-1-of-2"}) {
        CAPTURE(name);
        for (const char* subject :
             {"$JS.API.CONSUMER.CREATE.SAGA.{}", "$JS.API.CONSUMER.DELETE.SAGA.{}",
              "$JS.API.CONSUMER.INFO.SAGA.{}", "$JS.API.CONSUMER.MSG.NEXT.SAGA.{}",
              "$JS.API.DIRECT.GET.KV_SAGA_OWNERS.$KV.SAGA_OWNERS.{}", "$KV.SAGA_OWNERS.{}",
              "saga-ctl.{}.owner"})
            CHECK(has(split.publish, fmt::format(fmt::runtime(subject), name)));
        CHECK(has(split.subscribe, fmt::format("saga-ctl.{}.*", name)));
        // Nobody who reads the stream takes a shard's consumer away.
        CHECK(has(user(users, "operator").publish_never,
                  fmt::format("$JS.API.CONSUMER.DELETE.SAGA.{}", name)));
        CHECK(has(user(users, "web").publish, fmt::format("saga-ctl.{}.state", name)));
    }
    CHECK(split.publish.size() == whole.publish.size() + 16);
    CHECK_FALSE(has(split.publish, "$KV.SAGA_CONTRACTS.payment-0-of-2"));
    programs.shards = {{"payments", {2}}};
    CHECK(refusal(choreography(kShop), programs) ==
          "payments is to run in shards, and is no service here");
    programs.shards = {{"payment", {65}}};
    CHECK(refusal(choreography(kShop), programs) ==
          "payment cannot run in 65 shards: from 1 to 64");
}
