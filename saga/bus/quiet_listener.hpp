// A listener that passes over whatever it is told: for those that wait for a few things alone.
#pragma once

#include "saga/bus/bus.hpp"

namespace saga::bus {

class QuietListener : public Listener {
  public:
    void connected(const Server&) override {}
    void disconnected(std::string_view) override {}
    void denied(std::string_view) override {}
    void delivered(StoredMessage, std::uint64_t, std::uint64_t) override {}
    void heartbeat(std::uint64_t, std::uint64_t) override {}
    void pull_ended(std::uint64_t, const PullEnd&) override {}
    void consumer_lost(std::string_view) override {}
    void acked(Channel, std::uint64_t, const PubAck&) override {}
    void refused(Channel, const Problem&) override {}
    void requested(Request) override {}
};

}  // namespace saga::bus
