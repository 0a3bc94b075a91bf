// The broker loses the end of its stream where a service does not look for it.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <array>
#include <map>
#include <set>

#include "saga/core/subject.hpp"
#include "tests/sim/small_shop.hpp"

using namespace saga;
using namespace saga::sim;
using namespace std::chrono_literals;

namespace {

struct Shop : SmallShop {
    std::uint8_t heard = 0;

    Shop() : SmallShop(one_at_a_time()) {}
    /// Each event is a turn of its own.
    static Machine::Options one_at_a_time() {
        Machine::Options options;
        options.worker.batch = 1;
        return options;
    }
    /// An event of a service that is none of the shop's.
    void hear(const std::string& saga, Kind kind) {
        const Time now = std::chrono::floor<std::chrono::microseconds>(schedule.date());
        EventId id;
        id.bytes[0] = ++heard;
        const std::array<std::byte, 8> payload{};
        (void)broker.publish(core::event_subject("stranger", kind, "Word", saga, false), {},
                             core::encode({.id = id,
                                           .type = "stranger.Word",
                                           .saga = saga,
                                           .started = now,
                                           .source = "stranger",
                                           .time = now,
                                           .kind = kind,
                                           .because = kind == Kind::failed ? "Word" : "",
                                           .payload = payload}));
    }
    /// How many different events of each name there are.
    std::map<std::string, int> events() const {
        std::map<std::string, int> count;
        std::set<std::string> ids;
        for (const auto& [seq, message] : broker.stream(core::kStream)->messages)
            if (ids.insert(message.id).second)
                ++count[std::string(core::parse_event_subject(message.subject)->event)];
        return count;
    }
};

}  // namespace

TEST_CASE("tail: lost while a restored service catches up, above where that has read") {
    for (const std::uint64_t lost : {5U, 15U, 30U}) {
        CAPTURE(lost);
        Shop shop;
        Machine& inventory = shop.inventory;
        shop.place("first");
        shop.rest();
        inventory.drain();
        shop.until([&] { return !inventory.running(); });
        const auto backup = inventory.backup();
        inventory.start();
        for (int nth = 0; nth < 10; ++nth) {
            shop.place(fmt::format("o{}", nth));
            shop.rest();
        }
        const auto before = shop.events();

        inventory.restore(backup);
        inventory.start();
        shop.until([&] {
            return inventory.node().worker().catching_up() &&
                   inventory.store().cursor.position().seq > 8;
        });
        shop.broker.kill();
        shop.broker.lose_tail(lost);
        shop.broker.start();
        shop.rest();
        CHECK(shop.events() == before);
        CHECK(inventory.store().aside.count() == 0);
    }
}

TEST_CASE("tail: lost with its node, under connections that stay, and others stand there now") {
    Shop shop;
    const std::uint64_t head = shop.head();
    for (int nth = 0; nth < 20; ++nth) shop.hear(fmt::format("noise{}", nth), Kind::done);
    shop.rest();  // they concern nobody, and every cursor has gone along
    for (const auto& machine : shop.machines) {
        const auto newest = machine->store().cursor.checkpoints().newest();
        REQUIRE((newest ? newest->seq : 0) <= head);
    }
    shop.broker.lose_leader();
    shop.broker.lose_tail(20);
    for (int nth = 0; nth < 40; ++nth) shop.hear(fmt::format("stop{}", nth), Kind::failed);
    shop.rest();
    for (const auto& machine : shop.machines) {
        CHECK(machine->node().link().rewinds() == 0);
        for (int nth = 0; nth < 40; ++nth)
            CHECK(machine->store().sagas.find(fmt::format("stop{}", nth)).key != 0);
    }
}
