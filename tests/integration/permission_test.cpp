// A user without the rights that a service needs: it says which, and stops instead of spinning.
#include <fmt/format.h>

#include <filesystem>
#include <fstream>

#include "saga/bus/nats_client.hpp"
#include "tests/integration/stage.hpp"

using namespace saga;
using namespace saga::testing;

namespace {

/// Two users: "admin" may everything; "asker" all but what is denied.
std::string users(const std::string& publish, const std::string& subscribe) {
    return fmt::format(
        "accounts {{ A {{ jetstream: enabled, users: [ {{ user: admin, password: admin }},\n"
        "{{ user: asker, password: asker, permissions: {{ publish: {{ deny: [{}] }}, "
        "subscribe: {{ deny: [{}] }} }} }} ] }} }}\nno_auth_user: admin\n",
        publish, subscribe);
}

/// Runs asker without these rights until it ends; what it said.
std::string without(const std::string& binary, const std::string& publish,
                    const std::string& subscribe = "\"nothing.at.all\"") {
    Broker broker(binary, users(publish, subscribe));
    broker.bootstrap();
    TempFolder folder;
    Instance asking(asker(), folder.path(), broker.url(), {.user = "asker"});
    const bool ended = drive({&asking}, [&] {
        if (asking.ready()) ask(broker, {&asking}, "t", 1);
        return !asking.running();
    });
    CHECK_MESSAGE(ended, asking.state());
    return asking.failure();
}

/// Of them, those after which the next one is due at once.
int turns_in_a_second(Instance& instance) {
    const auto began = std::chrono::steady_clock::now();
    int turns = 0;
    REQUIRE(drive({&instance}, [&] {
        const auto next = instance.node().turn();
        turns += next <= std::chrono::steady_clock::now();
        return std::chrono::steady_clock::now() - began > 1s;
    }));
    return turns;
}

}  // namespace

TEST_CASE("permission: what the broker forbids ends the service, and it says what") {
    on_each_server([](const std::string& binary) {
        const auto names = [](const std::string& said, std::string_view what) {
            CHECK_MESSAGE(said.find("does not permit what asker needs") != std::string::npos, said);
            CHECK_MESSAGE(said.find(what) != std::string::npos, said);
        };
        names(without(binary, "\"saga.asker.>\""), "saga.asker.done.Asked.");
        names(without(binary, "\"$JS.API.CONSUMER.>\""), "$JS.API.CONSUMER.");
        names(without(binary, "\"$JS.API.STREAM.INFO.SAGA\""), "$JS.API.STREAM.INFO.SAGA");
        names(without(binary, "\"$KV.SAGA_OWNERS.>\""), "$KV.SAGA_OWNERS.asker");
        names(without(binary, "\"x\"", "\"saga-ctl.>\""), "saga-ctl.asker.");
        names(without(binary, "\"x\"", "\"_SAGA.>\""), "_SAGA.asker.");
    });
}

TEST_CASE("permission: who may not ask for the owner of its name does not take it") {
    on_each_server([](const std::string& binary) {
        Broker broker(binary, users("\"saga-ctl.asker.owner\"", "\"x\""));
        broker.bootstrap();
        TempFolder folder, elsewhere;
        Instance asking(asker(), folder.path(), broker.url());
        REQUIRE(drive({&asking}, [&] { return asking.ready(); }));
        copy_database(asking, elsewhere / "asker.db");
        std::filesystem::copy_file(folder / "asker.key", elsewhere / "asker.key");
        Instance copy(asker(), elsewhere.path(), broker.url(), {.user = "asker"});
        REQUIRE(drive({&asking, &copy}, [&] { return !copy.running(); }));
        CHECK_MESSAGE(copy.failure().find("saga-ctl.asker.owner") != std::string::npos,
                      copy.failure());
        CHECK(asking.ready());
    });
}

TEST_CASE("permission: an answer that its asker may not be sent is the asker's loss") {
    on_each_server([](const std::string& binary) {
        Broker broker(binary, users("\"_INBOX.another.>\"", "\"x\""));
        broker.bootstrap();
        TempFolder folder;
        Instance asking(asker(), folder.path(), broker.url(), {.user = "asker"});
        REQUIRE(drive({&asking}, [&] { return asking.ready(); }));

        natsConnection* made = nullptr;
        const auto options = bus::options_for({.url = broker.url()}, "somebody");
        REQUIRE(natsConnection_Connect(&made, options.get()) == NATS_OK);
        const bus::Nats<natsConnection> somebody(made);
        for (const char* subject : {"saga-ctl.asker.state", "$SRV.PING", "saga-ctl.asker.owner"})
            REQUIRE(natsConnection_PublishRequestString(made, subject, "_INBOX.another.1", "") ==
                    NATS_OK);
        REQUIRE(natsConnection_Flush(made) == NATS_OK);
        const auto began = std::chrono::steady_clock::now();
        REQUIRE(drive({&asking}, [&] { return std::chrono::steady_clock::now() - began > 1s; }));
        CHECK_MESSAGE(asking.ready(), asking.state());
    });
}

TEST_CASE("permission: without a bucket for contracts a service works, and asks once a second") {
    on_each_server([](const std::string& binary) {
        Broker broker(binary);
        broker.bootstrap();
        api(broker, "STREAM.DELETE.KV_SAGA_CONTRACTS", "");
        TempFolder folder;
        Instance asking(asker(), folder.path(), broker.url(), {.contract = "{}"});
        REQUIRE(drive({&asking}, [&] { return asking.ready(); }));
        CHECK(turns_in_a_second(asking) < 20);
        CHECK_MESSAGE(asking.ready(), asking.state());
        CHECK(asking.node().reader().reopened() == 0);
    });
}

TEST_CASE("permission: a wrong password is said, tried again with pauses, and mended outside") {
    on_each_server([](const std::string& binary) {
        Broker broker(binary, users("\"x\"", "\"x\""));
        broker.bootstrap();
        TempFolder folder;
        Instance asking(asker(), folder.path(), broker.url(), {.user = "nobody"});
        REQUIRE(drive({&asking},
                      [&] { return asking.state().find("uthorization") != std::string::npos; }));
        CHECK(turns_in_a_second(asking) < 20);
        CHECK(asking.running());
    });
}

TEST_CASE("permission: whoever signs with an NKey is let in each time") {
    constexpr int kLogins = 1'500;  // with one of 256 refused, one in 350 runs would see none
    on_each_server([](const std::string& binary) {
        Broker broker(binary,
                      "authorization { users: [ { nkey: "
                      "UACTY453KKRBMXGZF4KJY2XF3QVFU34EAUXL6ERCURNBCZWK4VB2IVJB } ] }\n");
        const TempFolder folder;
        const std::string seed = folder / "user.nk";
        std::ofstream(seed) << "SUAJOQIUNO5SEAJB6EECJSOHZCPBXSOCGN7RIBX3FZNMWDDCRMSMNZ5WMA\n";
        const bus::Address address{.url = broker.url(), .nkey = seed};
        for (int nth = 0; nth < kLogins; ++nth) REQUIRE_NOTHROW(bus::NatsClient(address, "guest"));
    });
}
