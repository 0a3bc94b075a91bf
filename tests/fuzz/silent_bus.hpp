// A port to a broker that is not there; what is answered is kept.
#pragma once

#include <string>
#include <vector>

#include "saga/bus/bus.hpp"

namespace saga::fuzz {

class SilentBus : public bus::Bus {
  public:
    std::vector<std::string> answers;

    void poll(bus::Listener&, bus::Steady) override {}
    void wait(bus::Steady) override {}
    void wake() override {}
    std::string trouble() const override { return "there is no broker"; }
    void flush() override {}
    void stream_info(bus::Done<bus::StreamInfo>) override {}
    void message_at(std::uint64_t, bus::Done<bus::StoredMessage>) override {}
    void create_consumer(const bus::ConsumerSpec&, bus::Done<bus::ConsumerState>) override {}
    void delete_consumer(const std::string&, bus::Done<std::monostate>) override {}
    void consumer_state(const std::string&, bus::Done<bus::ConsumerState>) override {}
    void pull(const std::string&, std::uint64_t, const bus::PullSpec&) override {}
    void publish(bus::Channel, std::uint64_t, const std::string&, const core::Headers&,
                 Bytes) override {}
    void get(const std::string&, const std::string&,
             bus::Done<std::optional<bus::Entry>>) override {}
    void put(const std::string&, const std::string&, const std::string&,
             std::optional<std::uint64_t>, bus::Done<std::uint64_t>) override {}
    void listen(std::vector<std::string>) override {}
    void unlisten() override {}
    void answer(const std::string&, std::string_view body, const core::Headers&) override {
        answers.emplace_back(body);
    }
    void ask(const std::string&, const core::Headers&, std::string_view, std::chrono::milliseconds,
             bus::Done<std::string>) override {}
};

}  // namespace saga::fuzz
