#include "tests/cli/town.hpp"

#include <doctest/doctest.h>

#include <future>
#include <nlohmann/json.hpp>
#include <saga/detail/code.hpp>

#include "saga/bus/nats_client.hpp"
#include "saga/runtime/contract_json.hpp"
#include "saga/store/statement.hpp"

namespace saga::testing {
namespace {

using namespace std::chrono_literals;

bus::Address address_of(const Broker& broker) {
    bus::Address address;
    address.url = broker.url();
    return address;
}

std::string text_of(const std::vector<std::byte>& bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::int64_t exec(Instance& instance, const std::string& sql) {
    store::Statement statement(instance.store().db(), sql);
    return statement.exec();
}

}  // namespace

Town::Town(const std::string& binary, const std::string& extra) : broker(binary, extra) {
    broker.bootstrap();
}

void Town::open() {
    for (const Service& service : {asker(), granter(), auditor()})
        put("SAGA_CONTRACTS", service.contract().service,
            runtime::contract_json(service.contract()));
    asking.emplace(asker(), folder.path(), broker.url());
    granting.emplace(granter(), folder.path(), broker.url());
    auditing.emplace(auditor(), folder.path(), broker.url());
    REQUIRE(drive_all([&] { return asking->ready() && granting->ready() && auditing->ready(); }));
}

std::vector<Instance*> Town::all() {
    std::vector<Instance*> here;
    for (auto* each : {&asking, &granting, &auditing})
        if (*each) here.push_back(&**each);
    return here;
}

bool Town::drive_all(const std::function<bool()>& met) {
    if (drive(all(), met)) return true;
    for (Instance* each : all()) MESSAGE(each->state());
    return false;
}

Ran Town::saga(std::vector<std::string> args, std::string input) {
    return run_to_end({.path = saga_program(),
                       .args = std::move(args),
                       .env = plain_env(folder.path(), broker.url()),
                       .input = std::move(input)},
                      all());
}

nlohmann::json Town::json(std::vector<std::string> args) {
    args.emplace_back("--json");
    const Ran ran = saga(std::move(args));
    INFO(ran.out, ran.err);
    auto read = nlohmann::json::parse(ran.out, nullptr, false);
    REQUIRE_FALSE(read.is_discarded());
    return read;
}

nlohmann::json Town::request(const std::string& subject, const std::string& body) {
    auto answer = std::async(std::launch::async, [&] {
        bus::NatsClient client(address_of(broker), "test");
        return client.request_text(subject, body, 5s);
    });
    REQUIRE(drive(all(), [&] { return answer.wait_for(0s) == std::future_status::ready; }));
    return nlohmann::json::parse(answer.get(), nullptr, false);
}

void Town::ask(const std::string& ticket, int amount) {
    const std::string body = text_of(detail::pack(test::Ask{.ticket = ticket, .amount = amount}));
    const auto answer = request("saga-ctl.asker.ask", body);
    INFO(answer.dump());
    REQUIRE(answer.contains("accepted"));
}

bool Town::at_rest() {
    bool rest = true;
    for (Instance* each : all())
        rest = rest && each->ready() &&
               each->value("SELECT count(*) FROM outbox WHERE stream_seq IS NULL") == 0;
    return rest && asking->value("SELECT count(*) FROM sagas WHERE ended_by = ''") ==
                       granting->value("SELECT count(*) FROM parked");
}

void Town::make_dead(const std::string& ticket) {
    exec(*granting, "INSERT INTO grants VALUES ('" + ticket + "', 0)");
    ask(ticket, 1);
    REQUIRE(drive_all([&] { return granting->value("SELECT count(*) FROM parked") > 0; }));
    use_up();
}

void Town::use_up() {
    exec(*granting, "UPDATE parked SET attempts = 1000");
    REQUIRE(drive_all(
        [&] { return nlohmann::json::parse(granting->node().state_json()).value("dead", 0) > 0; }));
}

void Town::mend(const std::string& ticket) {
    exec(*granting, "DELETE FROM grants WHERE ticket = '" + ticket + "'");
}

void Town::publish_junk() {
    request("saga.asker.done.Asked.p00", "this is no event");
    REQUIRE(drive_all([&] {
        return nlohmann::json::parse(granting->node().state_json()).value("aside", 0) > 0;
    }));
}

void Town::put(const std::string& bucket, const std::string& key, const std::string& value) {
    const auto answer = request("$KV." + bucket + "." + key, value);
    REQUIRE(answer.contains("seq"));
}

}  // namespace saga::testing
