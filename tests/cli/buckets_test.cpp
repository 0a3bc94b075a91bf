#include "saga/cli/buckets.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <thread>

#include "saga/bus/nats_client.hpp"
#include "tests/integration/broker.hpp"

namespace saga::testing {
namespace {

using namespace std::chrono_literals;

/// A reader of its own connection, until it is told to stop.
class Looking {
  public:
    explicit Looking(const Broker& broker) : client_(address_of(broker), "looking") {}
    ~Looking() {
        stop_ = true;
        thread_.join();
    }
    Looking(const Looking&) = delete;
    Looking& operator=(const Looking&) = delete;
    std::uint64_t looks() const { return looks_; }

  private:
    static bus::Address address_of(const Broker& broker) {
        bus::Address address;
        address.url = broker.url();
        return address;
    }
    void run() {
        const cli::Bucket bucket(client_, "COMES", 5s);
        for (; !stop_; ++looks_) try {
                (void)bucket.get("a");
                (void)bucket.all();
            } catch (const cli::Stop&) {
                // It went between two of our questions.
            }
    }

    bus::NatsClient client_;
    std::atomic<bool> stop_ = false;
    std::atomic<std::uint64_t> looks_ = 0;
    std::thread thread_{[this] { run(); }};
};

TEST_CASE("bucket: looking at one that is being made does not end nats-server 2.9.10") {
    for (const std::string& binary : servers()) {
        const Broker broker(binary);
        bus::Address address;
        address.url = broker.url();
        bus::NatsClient maker(address, "maker");
        const auto make = [&](const std::string& name) {
            cli::api(maker, "$JS.API.STREAM.CREATE." + name,
                     fmt::format(R"({{"name":"{0}","subjects":["$KV.{0}.>"]}})", name), 5s);
        };
        REQUIRE_NOTHROW(make("KV_STAYS"));  // 2.9.10 removes the folder of all with the last one
        const Looking first(broker), second(broker);
        for (int i = 0; i < 400; ++i) {
            REQUIRE_NOTHROW(make("KV_COMES"));
            REQUIRE_NOTHROW(cli::api(maker, "$JS.API.STREAM.DELETE.KV_COMES", "", 5s));
        }
        CHECK(first.looks() + second.looks() > 0);
    }
}

}  // namespace
}  // namespace saga::testing
