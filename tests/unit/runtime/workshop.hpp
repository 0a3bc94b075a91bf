// A service's worker without a broker: it reads from a stream of the test's own, on a database in
// memory that outlives it, as a file outlives its process.
#pragma once

#include <saga/service.hpp>
#include <set>
#include <string>
#include <vector>

#include "saga/runtime/worker.hpp"
#include "tests/landscape/landscape.hpp"

namespace saga::test {

/// What stands in the stream, in its order. Workshops that share it share a world.
struct Stream {
    std::vector<runtime::Delivery> messages;
    Time now{std::chrono::hours(24 * 365 * 50)};  ///< The broker's clock; the test moves it.

    std::uint64_t put(std::string subject, std::vector<std::byte> bytes);
    std::uint64_t put(core::Envelope envelope);  ///< Under its own subject, id and times added.

    /// An event of the service that its type names, as that service would publish it.
    template <Event E>
    std::uint64_t put(const E& event, const std::string& saga, Kind kind = Kind::done,
                      const std::string& because = {}) {
        const std::vector<std::byte> payload = detail::pack(event);
        const detail::EventType& type = detail::type_of<E>();
        return put({.type = type.full,
                    .saga = saga,
                    .source = type.owner,
                    .kind = kind,
                    .because = because,
                    .payload = payload});
    }
    /// How many events of this name stand in it.
    int count(std::string_view name) const;
};

class Workshop {
  public:
    Workshop(Service service, Stream& stream,
             const store::Database::Options& database = {.path = ":memory:", .vfs = {}});

    /// Reads what stands in the stream and works until nothing is due; what it publishes stands in
    /// the stream then. Throws what the worker throws.
    void work();
    /// A start on a database that is older than the stream: reads what it once published first.
    void begin_catch_up();
    void end_catch_up() { worker_->end_catch_up(stream_.now); }

    /// The process is gone, without a word; it starts again on what was committed.
    void die();
    /// As die(), with another build.
    void die(Service successor);
    /// As if it started again after a clean stop.
    void restart();

    runtime::Worker& worker() { return *worker_; }
    runtime::Inbound& in() { return in_; }
    store::Store& store() { return store_; }
    core::Outgoing& outgoing() { return outgoing_; }
    std::int64_t value(std::string_view select);
    /// The dead letters that it has published, each as its reason.
    const std::vector<std::string>& letters() const { return letters_; }

  private:
    class Counter final : public runtime::Random {
      public:
        std::uint64_t next() override { return value_ += 7919; }

      private:
        std::uint64_t value_ = 0;
    };
    void start();
    void read();
    bool publish();

    core::IdKey key_{{1, 2, 3}};
    Service service_;
    Stream& stream_;
    Counter random_;
    store::Store store_;
    core::Outgoing outgoing_;
    std::optional<runtime::Worker> worker_;
    runtime::Inbound in_;
    std::set<EventId> sent_;
    std::vector<std::string> letters_;
};

/// Kills the process of the handler that it is called in: nothing of the round is left.
[[noreturn]] inline void kill_the_process() {
    throw store::Broken("the process has died");
}

}  // namespace saga::test
