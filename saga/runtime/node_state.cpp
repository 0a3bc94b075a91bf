// What a node says of itself.
#include <filesystem>
#include <nlohmann/json.hpp>

#include "saga/core/subject.hpp"
#include "saga/runtime/node.hpp"

namespace saga::runtime {
namespace {

std::uintmax_t size_of(const std::string& path) {
    std::error_code none;
    const auto size = std::filesystem::file_size(path, none);
    return none ? 0 : size;
}

}  // namespace

/// Tells the landscape what this build reads and publishes: on each connection, for the broker may
/// have lost it.
void Node::introduce() {
    if (introduced_ || options_.contract.empty() || !link_.reading()) return;
    if (now_ < next_introduction_) return;
    introduced_ = true;
    bus_.put(std::string(core::kContracts), contract_.service, options_.contract, std::nullopt,
             [this](const bus::Result<std::uint64_t>& result) {
                 const auto* problem = std::get_if<bus::Problem>(&result);
                 introduced_ = problem == nullptr || problem->trouble == bus::Trouble::refused;
                 next_introduction_ = now_ + core::kPublishPause;
             });
}

std::string Node::trouble() const {
    if (draining_) return "the service is stopping";
    if (!disk_.empty()) return "its disk is full: " + disk_;
    if (std::string down = bus_.trouble(); !down.empty()) return down;
    if (!ownership_.held_once()) return "it does not own its name yet: " + ownership_.trouble();
    if (!ownership_.holds(now_))
        return "whether it still owns its name is not known: " + ownership_.trouble();
    if (!link_.reading()) return "it is not reading: " + link_.trouble();
    if (worker_.catching_up()) return "it is catching up with what the stream knows of it";
    return {};
}

std::uint64_t Node::backlog() const {
    if (store_.cursor.position().seq < link_.missed_to()) return lag();
    return relay_.overflows() ? 1 : 0;
}

std::string Node::state_json() const {
    const store::Outbox::Depth outbox = store_.outbox.unsettled();
    const Time time = timeline_.now();
    const double oldest =
        outbox.oldest ? std::chrono::duration<double>(time - *outbox.oldest).count() : 0;
    const Worker::Counts& counts = worker_.counts();
    return nlohmann::ordered_json{
        {"service", name_},
        {"shard", text_of(self_.shard)},
        {"instance", options_.instance},
        {"version", options_.version},
        {"where", options_.where},
        {"ready", ready()},
        {"trouble", trouble()},
        {"server", link_.server().url},
        {"cursor", store_.cursor.position().seq},
        {"lag", lag()},
        {"outbox", {{"unsettled", outbox.rows}, {"oldest_seconds", oldest}}},
        {"parked", store_.parked.count(false)},
        {"dead", store_.parked.count(true)},
        {"aside", store_.aside.count()},
        {"timers", store_.timers.count()},
        {"calls", store_.calls.count()},
        {"handled", counts.handled},
        {"commands", counts.commands},
        {"sent", relay_.sent()},
        {"sent_again", relay_.sent_again()},
        {"reopened", reader_.reopened()},
        {"rewinds", link_.rewinds()},
        {"pruned", pruner_.pruned()},
        {"reserve", reserve_.held()},
        {"db_bytes", size_of(store_.db().path())},
        {"wal_bytes", size_of(store_.db().path() + "-wal")}}
        .dump();
}

}  // namespace saga::runtime
