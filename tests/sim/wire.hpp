// Connections between clients and the broker, and what networks do to them.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <utility>

#include "tests/sim/chance.hpp"
#include "tests/sim/schedule.hpp"

namespace saga::sim {

/// The network between one machine and the broker.
struct Net {
    explicit Net(Chance drawn) : chance(std::move(drawn)) {}
    Chance chance;
    Duration least = std::chrono::microseconds(40), most = std::chrono::microseconds(400);
    /// Until then nothing passes, in either direction, and nobody is told: a partition, a paused
    /// process in between, a half-open connection.
    Steady stalled_until{};
    /// How many hosts had the machine's place: what an earlier one had still to send is gone.
    int hosts = 0;
};

/// One TCP connection: what is sent arrives in order, until it breaks. Held by its client; the
/// broker forgets one that is broken.
class Wire : public std::enable_shared_from_this<Wire> {
  public:
    using Frame = std::function<void()>;
    Wire(Schedule& schedule, Net& net) : schedule_(schedule), net_(net), host_(net.hosts) {}

    void to_broker(Frame frame) { send(up_, std::move(frame)); }
    void to_client(Frame frame) { send(down_, std::move(frame)); }

    /// What is under way to the client is lost; of what is under way to the broker, a part from
    /// the front still arrives.
    void snap();
    bool broken() const { return broken_; }
    /// Told once, when it breaks; not when its client lets go of it.
    void on_break(std::function<void()> told) { on_break_ = std::move(told); }
    void forget_client() { on_break_ = nullptr; }

  private:
    struct Pipe {
        struct Sent {
            Steady arrives;
            Frame frame;
        };
        std::deque<Sent> frames;
        Steady last{};
        bool planned = false;
    };
    void send(Pipe& pipe, Frame frame);
    void plan(Pipe& pipe);
    void pump(Pipe& pipe);

    Schedule& schedule_;
    Net& net_;
    int host_;
    Pipe up_, down_;
    bool broken_ = false;
    std::function<void()> on_break_;
};

}  // namespace saga::sim
