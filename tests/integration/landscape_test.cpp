// The engine's promises, with services of a small landscape on real nats-servers.
#include "tests/landscape/landscape.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>

#include "saga/bus/nats_client.hpp"
#include "saga/runtime/stream_view.hpp"
#include "tests/integration/instance.hpp"

using namespace saga;
using namespace saga::testing;
using namespace std::chrono_literals;

namespace {

bus::Address address_of(const Broker& broker) {
    bus::Address address;
    address.url = broker.url();
    return address;
}

/// Asks asker for a ticket, from a connection of its own; turns everybody until it answers.
std::string ask(const Broker& broker, const std::vector<Instance*>& all, const std::string& ticket,
                int amount) {
    bus::NatsBus client(address_of(broker), "asker", "0123456789abcdef");  // whom asker answers
    struct Nothing final : bus::Listener {
        void connected(const bus::Server&) override { up = true; }
        void disconnected(std::string_view) override {}
        void denied(std::string_view) override {}
        void delivered(bus::StoredMessage, std::uint64_t, std::uint64_t) override {}
        void heartbeat(std::uint64_t, std::uint64_t) override {}
        void pull_ended(std::uint64_t) override {}
        void consumer_lost(std::string_view) override {}
        void acked(bus::Channel, std::uint64_t, const bus::PubAck&) override {}
        void refused(bus::Channel, const bus::Problem&) override {}
        void requested(bus::Request) override {}
        bool up = false;
    } ears;
    const auto body = detail::pack(test::Ask{.ticket = ticket, .amount = amount});
    const std::string text(reinterpret_cast<const char*>(body.data()), body.size());
    std::string answer;
    bool asked = false;
    drive(all, [&] {
        client.poll(ears, std::chrono::steady_clock::now());
        // As clients do: until it is a yes or a no.
        if (ears.up && !std::exchange(asked, true))
            client.ask("saga-ctl.asker.ask", text, 1s, [&](bus::Result<std::string> result) {
                const auto* said = std::get_if<std::string>(&result);
                asked = said != nullptr && said->find("unavailable") == std::string::npos;
                if (asked) answer = *said;
            });
        client.flush();
        return !answer.empty();
    });
    return answer;
}

/// The last words in the stream: event name by saga.
std::map<std::string, std::string> ends(const Broker& broker) {
    std::map<std::string, std::string> words;
    runtime::StreamView view(address_of(broker));
    view.read({.filter = "saga.*.ended.>"}, [&](const core::Message& message) {
        const core::Envelope& e = message.envelope();
        const auto [at, fresh] = words.emplace(e.saga, detail::split_type(e.type).name);
        CHECK((fresh || at->second == detail::split_type(e.type).name));
        return true;
    });
    return words;
}

std::int64_t ended(Instance& asker) {
    return asker.value("SELECT count(*) FROM sagas WHERE ended_by != ''");
}

/// asker, granter and auditor on one broker.
struct Landscape {
    explicit Landscape(const std::string& binary) : broker(binary) {
        broker.bootstrap();
        start();
        REQUIRE(drive(all(), [&] { return ready(); }));
    }
    void start() {
        asking.emplace(asker(), folder.path(), broker.url());
        granting.emplace(granter(), folder.path(), broker.url());
        auditing.emplace(auditor(), folder.path(), broker.url());
    }
    std::vector<Instance*> all() { return {&*asking, &*granting, &*auditing}; }
    bool ready() { return asking->ready() && granting->ready() && auditing->ready(); }
    bool drive_all(const std::function<bool()>& met) {
        if (drive(all(), met)) return true;
        for (Instance* each : all()) MESSAGE(each->state());
        return false;
    }
    std::string ask(const std::string& ticket, int amount) {
        return ::ask(broker, all(), ticket, amount);
    }
    /// Nothing is on its way any more: every outbox is read back, every saga at its end.
    bool at_rest() {
        bool rest = true;
        for (Instance* instance : all())
            rest = rest && instance->ready() &&
                   instance->value("SELECT count(*) FROM outbox WHERE stream_seq IS NULL") == 0 &&
                   instance->value("SELECT count(*) FROM parked") == 0;
        return rest && ended(*asking) == asking->value("SELECT count(*) FROM sagas");
    }

    Broker broker;
    TempFolder folder;
    std::optional<Instance> asking, granting, auditing;
};

template <class Test>
void on_each_server(Test test) {
    for (const std::string& binary : servers()) {
        CAPTURE(binary);
        Landscape landscape(binary);
        test(landscape);
    }
}

}  // namespace

TEST_CASE("landscape: sagas complete, are denied, and are undone") {
    on_each_server([](Landscape& l) {
        CHECK(l.ask("good", 50).find("accepted") != std::string::npos);
        CHECK(l.ask("unlucky", 13).find("accepted") != std::string::npos);
        CHECK(l.ask("greedy", 90).find("accepted") != std::string::npos);
        CHECK(l.ask("bad", -1).find("invalid") != std::string::npos);
        REQUIRE(l.drive_all([&] { return ended(*l.asking) == 3 && l.at_rest(); }));
        const auto words = ends(l.broker);
        CHECK(words.at("good") == "Closed");
        CHECK(words.at("unlucky") == "GaveUp");
        CHECK(words.at("greedy") == "GaveUp");
        CHECK(l.granting->value("SELECT sum(amount) FROM grants") == 50);
        CHECK(l.auditing->value("SELECT count(*) FROM checks") == 1);
    });
}

TEST_CASE("landscape: a command has a memory, also after a restart") {
    on_each_server([](Landscape& l) {
        const std::string first = l.ask("t1", 5);
        CHECK(l.ask("t1", 5) == first);
        CHECK(l.ask("t1", 6).find("conflict") != std::string::npos);
        l.asking->kill();
        l.asking.emplace(asker(), l.folder.path(), l.broker.url());
        REQUIRE(l.drive_all([&] { return l.ready(); }));
        CHECK(l.ask("t1", 5) == first);
        CHECK(l.ask("t1", 7).find("conflict") != std::string::npos);
        REQUIRE(l.drive_all([&] { return l.at_rest(); }));
        CHECK(l.granting->value("SELECT count(*) FROM grants") == 1);
    });
}

TEST_CASE("landscape: every service may die at any moment") {
    on_each_server([](Landscape& l) {
        for (int i = 0; i < 30; ++i) {
            l.ask(fmt::format("t{}", i), i % 5 == 0 ? 13 : 1);
            auto& victim = i % 3 == 0 ? l.asking : i % 3 == 1 ? l.granting : l.auditing;
            victim->kill();
            victim.emplace(i % 3 == 0   ? asker()
                           : i % 3 == 1 ? granter()
                                        : auditor(),
                           l.folder.path(), l.broker.url());
            REQUIRE(l.drive_all([&] { return l.asking->ready(); }));
        }
        REQUIRE(l.drive_all([&] { return ended(*l.asking) == 30 && l.at_rest(); }));
        CHECK(l.granting->value("SELECT sum(amount) FROM grants") == 24);
        CHECK(l.auditing->value("SELECT count(*) FROM checks") == 24);
    });
}

TEST_CASE("landscape: the broker may be killed at any moment") {
    on_each_server([](Landscape& l) {
        for (int i = 0; i < 5; ++i) {
            for (int k = 0; k < 5; ++k) l.ask(fmt::format("t{}-{}", i, k), 1);
            l.broker.kill();
            l.broker.start();
            REQUIRE(l.drive_all([&] { return l.ready(); }));
        }
        REQUIRE(l.drive_all([&] { return ended(*l.asking) == 25 && l.at_rest(); }));
        CHECK(l.granting->value("SELECT sum(amount) FROM grants") == 25);
        CHECK(ends(l.broker).size() == 25);
    });
}

TEST_CASE("landscape: the broker's whole store may be wiped") {
    on_each_server([](Landscape& l) {
        for (int i = 0; i < 10; ++i) l.ask(fmt::format("before{}", i), 1);
        l.broker.kill();
        l.broker.wipe();
        l.broker.start();
        l.broker.bootstrap();
        for (Instance* each : l.all()) each->turn();
        REQUIRE(l.drive_all([&] { return l.ready(); }));
        for (int i = 0; i < 10; ++i) l.ask(fmt::format("after{}", i), 1);
        REQUIRE(l.drive_all([&] { return ended(*l.asking) == 20 && l.at_rest(); }));
        CHECK(l.granting->value("SELECT sum(amount) FROM grants") == 20);
        CHECK(l.auditing->value("SELECT count(*) FROM checks") == 20);
        CHECK(ends(l.broker).size() == 20);
    });
}

TEST_CASE("landscape: the broker may go back, and grow past us with other messages") {
    on_each_server([](Landscape& l) {
        for (int i = 0; i < 5; ++i) l.ask(fmt::format("old{}", i), 1);
        REQUIRE(l.drive_all([&] { return l.at_rest(); }));
        l.broker.kill();
        l.broker.save();
        l.broker.start();
        for (int i = 0; i < 5; ++i) l.ask(fmt::format("lost{}", i), 1);
        REQUIRE(l.drive_all([&] { return ended(*l.asking) == 10 && l.at_rest(); }));
        l.broker.kill();
        l.broker.restore();
        l.broker.start();
        for (int i = 0; i < 10; ++i) l.ask(fmt::format("new{}", i), 1);
        REQUIRE(l.drive_all([&] { return ended(*l.asking) == 20 && l.at_rest(); }));
        CHECK(ends(l.broker).size() == 20);
        CHECK(l.granting->value("SELECT sum(amount) FROM grants") == 20);
        std::int64_t rewinds = 0;
        for (Instance* each : l.all())
            rewinds += nlohmann::json::parse(each->node().state_json())["rewinds"].get<int>();
        CHECK(rewinds > 0);
    });
}
