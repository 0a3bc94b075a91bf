// What comes of a consumer that does not deliver in order, or is not ours.
#include "saga/runtime/reader.hpp"

#include <doctest/doctest.h>

#include "tests/fuzz/silent_bus.hpp"

using namespace saga;
using namespace std::chrono_literals;
using runtime::Reader;

namespace {

/// A broker that makes the consumers that it is asked for.
class Consumers final : public fuzz::SilentBus {
  public:
    std::vector<std::uint64_t> starts;  ///< where each that was made begins
    int deleted = 0;
    bool slow = false;            ///< makes one when make() is called
    std::uint64_t delivered = 0;  ///< by the next one that is made: another than 0 was there

    void delete_consumer(const std::string&, bus::Done<std::monostate> done) override {
        ++deleted;
        done(std::monostate{});
    }
    void create_consumer(const bus::ConsumerSpec& spec,
                         bus::Done<bus::ConsumerState> done) override {
        starts.push_back(spec.start_seq);
        made_ = [this, done = std::move(done)] {
            done(bus::ConsumerState{.delivered = std::exchange(delivered, 0), .pending = 0});
        };
        if (!slow) make();
    }
    void make() { std::exchange(made_, nullptr)(); }

  private:
    std::function<void()> made_;
};

constexpr bus::Steady kNow{1h};

bus::StoredMessage message(std::uint64_t seq) {
    return {.subject = "saga.a.done.B.p00", .bytes = {}, .seq = seq, .stored_at = {}};
}

/// Opened at 8, and 8 and 9 were read.
struct Stage {
    Consumers broker;
    Reader reader{broker, "a"};
    Stage() {
        reader.open(8, {"saga.>"}, kNow);
        reader.on_message(message(8), 1, 9, kNow);
        reader.on_message(message(9), 2, 8, kNow);
    }
    std::vector<std::uint64_t> read() {
        std::vector<std::uint64_t> seqs;
        for (const bus::StoredMessage& each : reader.take()) seqs.push_back(each.seq);
        return seqs;
    }
};

using Seqs = std::vector<std::uint64_t>;

}  // namespace

TEST_CASE("reader: behind a gap in what the consumer delivers nothing counts; it is made anew") {
    Stage stage;
    stage.reader.on_message(message(12), 4, 5, kNow);  // the third, at 11, was lost
    CHECK(stage.reader.read_to() == 9);
    CHECK(stage.broker.starts == Seqs{8, 10});
    CHECK(stage.reader.reopened() == 1);
    stage.reader.on_message(message(11), 1, 1, kNow);
    CHECK(stage.read() == Seqs{8, 9, 11});
}

TEST_CASE("reader: a heartbeat that counts more than came tells of a lost last message") {
    Stage stage;
    stage.reader.on_heartbeat(2, 10, kNow);
    CHECK(stage.reader.read_to() == 10);  // no filter takes it
    stage.reader.on_heartbeat(3, 11, kNow);
    CHECK(stage.reader.read_to() == 10);
    CHECK(stage.broker.starts == Seqs{8, 11});
}

TEST_CASE("reader: a consumer that has delivered already is not ours, and is made anew") {
    Stage stage;
    stage.broker.delivered = 3;
    stage.reader.open(10, {"saga.>"}, kNow);
    CHECK(stage.broker.starts == Seqs{8, 10, 10});
    CHECK(stage.broker.deleted == 3);
}

TEST_CASE("reader: a broker that is silent for too long has lost the consumer") {
    Stage stage;
    stage.reader.tick(kNow);
    stage.reader.tick(kNow + core::kMissedHeartbeat);
    CHECK(stage.broker.starts == Seqs{8});
    stage.reader.tick(kNow + core::kMissedHeartbeat + 1ns);
    CHECK(stage.broker.starts == Seqs{8, 10});
    CHECK(stage.read() == Seqs{8, 9});
}

TEST_CASE("reader: where nothing is asked for nobody is silent") {
    Stage stage;
    stage.reader.set_waiting(core::kMaxReady, 0);  // as much as is kept
    const std::uint64_t asked = core::kPulls * core::kPullBatch;
    for (std::uint64_t nth = 3; nth <= asked; ++nth)
        stage.reader.on_message(message(7 + nth), nth, 1'000, kNow);
    auto tick_after = [&, now = kNow](bus::Steady::duration time) mutable {
        stage.reader.tick(now += time);
        return stage.reader.reopened();
    };
    for (int nth = 0; nth < 3; ++nth) CHECK(tick_after(core::kMissedHeartbeat) == 0);
    stage.read();
    stage.reader.set_waiting(0, 0);
    CHECK(tick_after(1s) == 0);  // it asks, and counts from here
    CHECK(tick_after(core::kMissedHeartbeat) == 0);
    CHECK(tick_after(1ns) == 1);
}

TEST_CASE("reader: who was busy for long has not listened, and looks once more") {
    Stage stage;
    stage.reader.tick(kNow);
    stage.reader.tick(kNow + 10 * core::kMissedHeartbeat);
    CHECK(stage.reader.reopened() == 0);
    stage.reader.tick(kNow + 11 * core::kMissedHeartbeat);
    CHECK(stage.reader.reopened() == 0);
    stage.reader.tick(kNow + 11 * core::kMissedHeartbeat + 1ns);
    CHECK(stage.reader.reopened() == 1);
}

TEST_CASE("reader: silence counts from when the consumer was there, however long that took") {
    Consumers broker;
    broker.slow = true;
    Reader reader(broker, "a");
    reader.open(8, {"saga.>"}, kNow);
    reader.tick(kNow + core::kMissedHeartbeat);
    broker.make();
    const auto there = kNow + 2 * core::kMissedHeartbeat;
    reader.tick(there);
    CHECK(reader.is_open());
    reader.tick(there + core::kMissedHeartbeat);
    CHECK(broker.starts == Seqs{8});
    reader.tick(there + core::kMissedHeartbeat + 1ns);
    CHECK(reader.reopened() == 1);
}

TEST_CASE("reader: what a consumer delivers from below its start was read") {
    Stage stage;
    stage.reader.open(10, {"saga.>"}, kNow);
    CHECK(stage.read() == Seqs{});  // to be read again
    stage.reader.on_message(message(9), 1, 1, kNow);
    stage.reader.on_message(message(10), 2, 0, kNow);
    CHECK(stage.read() == Seqs{10});
    CHECK(stage.reader.at_head());
}
