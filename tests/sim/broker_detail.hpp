// What a broker's files share.
#pragma once

#include <deque>

#include "tests/sim/broker.hpp"

namespace saga::sim {

// nats-server, server/errors.json
inline constexpr int kNoMessage = 10037, kNoStream = 10059, kNoConsumer = 10014, kExists = 10148,
                     kWrongRevision = 10071, kFull = 10077, kTooLarge = 10054;

inline Problem refused(int code, std::string text) {
    return {bus::Trouble::refused, code, std::move(text)};
}
inline Problem missing_stream() {
    return refused(kNoStream, "stream not found");
}

struct Broker::Consumer {
    struct Pull {
        int left = 0;
        std::size_t bytes_left = 0;
        bool bounded = false;
        Steady expires;
        Duration heartbeat{};
        Sink sink;
    };
    bus::ConsumerSpec spec;
    std::uint64_t next = 1, nth = 0, pending = 0;
    std::deque<Pull> pulls;
    Steady last_sent, last_asked;
    bool watched = false;
};

}  // namespace saga::sim
