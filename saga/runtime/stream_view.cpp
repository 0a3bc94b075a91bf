#include "saga/runtime/stream_view.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "saga/bus/nats_bus.hpp"
#include "saga/bus/quiet_listener.hpp"
#include "saga/runtime/clock.hpp"
#include "saga/runtime/reader.hpp"

namespace saga::runtime {
namespace {

constexpr auto kOutlives = std::chrono::seconds(30);  // the consumer, an outsider that was killed
constexpr auto kLook = std::chrono::milliseconds(200);

/// What the bus tells, handed to the reader.
class Ears final : public bus::QuietListener {
  public:
    Ears(Reader& reader, const StreamView::Range& range)
        : reader_(reader), filter_(range.filter), next_(range.from) {}
    void set_now(bus::Steady now) { now_ = now; }

    void connected(const bus::Server&) override { reader_.open(next_, {filter_}, now_); }
    /// All that was read before was handed on: each poll's before the next one.
    void disconnected(std::string_view) override {
        next_ = std::max(next_, reader_.read_to() + 1);
        reader_.close();
    }
    void denied(std::string_view what) override {
        throw Error(fmt::format("the broker does not permit that: {}", what));
    }
    void delivered(bus::StoredMessage message, std::uint64_t nth, std::uint64_t pending) override {
        reader_.on_message(std::move(message), nth, pending, now_);
    }
    void heartbeat(std::uint64_t nth, std::uint64_t stream_seq) override {
        reader_.on_heartbeat(nth, stream_seq, now_);
    }
    void pull_ended(std::uint64_t, const bus::PullEnd& end) override {
        reader_.on_pull_ended(end, now_);
    }
    void consumer_lost(std::string_view why) override { reader_.on_lost(why, now_); }

  private:
    Reader& reader_;
    const std::string filter_;
    std::uint64_t next_;  // where the next connection begins
    bus::Steady now_{};
};

std::string nonce() {
    SystemRandom random;
    return fmt::format("{:016x}{:016x}", random.next(), random.next());
}

}  // namespace

void StreamView::read(const Range& range, const OnMessage& on_message, const OnJunk& on_junk) {
    read_stored(range, [&](const bus::StoredMessage& stored) {
        const auto read = core::decode(stored.bytes);
        if (const auto* envelope = std::get_if<core::Envelope>(&read))
            return on_message({stored.bytes, *envelope, stored.seq, stored.stored_at});
        if (on_junk) on_junk(stored.seq, stored.subject, std::get<core::Unreadable>(read).why);
        return true;
    });
}

void StreamView::read_stored(const Range& range, const OnStored& on_stored) {
    const std::string name = "saga-view-" + nonce();
    bus::NatsBus bus(address_, "saga-view", nonce());
    Reader reader(bus, name, kOutlives);
    Ears ears(reader, range);
    SystemClock clock;
    const bus::Steady begun = clock.steady();
    bus::Steady heard = begun;
    bool wanted = true;
    while (wanted) {
        const bus::Steady now = clock.steady();
        ears.set_now(now);
        bus.poll(ears, now);
        reader.tick(now);
        for (const bus::StoredMessage& stored : reader.take()) {
            heard = now;
            wanted = on_stored(stored);
            if (!wanted) break;
        }
        const bool head = reader.at_head();
        if (head && !range.follow) break;
        if (range.follow ? now - begun > range.timeout : now - heard > range.timeout) {
            if (range.follow) break;
            throw Error(fmt::format("cannot read the stream at {}: {}", address_.url,
                                    reader.is_open()        ? "nothing comes"
                                    : bus.trouble().empty() ? reader.trouble()
                                                            : bus.trouble()));
        }
        if (range.stop && range.stop()) break;
        bus.flush();
        bus.wait(now + kLook);
    }
    bus.delete_consumer(name, [](const auto&) {});
    bus.flush();
}

}  // namespace saga::runtime
