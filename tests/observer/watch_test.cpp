// An observer whose consumer is lost.
#include "saga/observer/watch.hpp"

#include <doctest/doctest.h>

#include "tests/fuzz/silent_bus.hpp"
#include "tests/integration/broker.hpp"

using namespace saga;
using namespace saga::testing;
using namespace std::chrono_literals;

namespace {

/// A stream of three messages.
class Three final : public fuzz::SilentBus {
  public:
    bool makes = true;  ///< the consumers that it is asked for
    std::function<void(bus::Listener&)> next;

    void poll(bus::Listener& listener, bus::Steady) override {
        if (next) std::exchange(next, nullptr)(listener);
    }
    void stream_info(bus::Done<bus::StreamInfo> done) override {
        bus::StreamInfo info;
        info.state.created = core::StoreTime(1s);
        info.state.first_seq = 1;
        info.state.last_seq = 3;
        done(info);
    }
    void delete_consumer(const std::string&, bus::Done<std::monostate> done) override {
        done(std::monostate{});
    }
    void create_consumer(const bus::ConsumerSpec&, bus::Done<bus::ConsumerState> done) override {
        if (makes) done(bus::ConsumerState{.delivered = 0, .pending = 3});
    }
};

struct Clock final : runtime::Clock {
    Time now() override { return Time(1h); }
    bus::Steady steady() override { return time += 1ms; }
    bus::Steady time{1h};
};

}  // namespace

TEST_CASE("watch: what came before its consumer was lost counts") {
    const TempFolder folder;
    observer::Watched watched(folder / "index");
    Three broker;
    Clock clock;
    observer::Watch watch(watched, broker, clock, {},
                          []() -> std::unique_ptr<bus::NatsClient> { throw Error("none"); });
    broker.next = [](bus::Listener& listener) { listener.connected({.url = "here"}); };
    for (int turn = 0; turn < 4; ++turn) watch.turn();  // it begins with another stream
    REQUIRE(watched.reading);
    broker.next = [&](bus::Listener& listener) {
        for (std::uint64_t seq = 1; seq <= 3; ++seq)
            listener.delivered({.subject = "saga.a.done.B.p00",
                                .bytes = {},
                                .seq = seq,
                                .stored_at = core::StoreTime(2s)},
                               seq, 3 - seq);
        broker.makes = false;
        listener.consumer_lost("its leader changed");
    };
    watch.turn();
    CHECK_FALSE(watched.reading);
    CHECK(watched.index.position().seq == 3);
}
