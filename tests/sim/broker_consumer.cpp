// Consumers: ordered, without acks, in the broker's memory.
#include <algorithm>

#include "saga/core/subject.hpp"
#include "tests/sim/broker_detail.hpp"

namespace saga::sim {

using namespace std::chrono_literals;

Broker::Answer<bus::ConsumerState> Broker::create_consumer(const bus::ConsumerSpec& spec) {
    if (unavailable_) return std::nullopt;
    Stream* found = find(core::kStream);
    if (found == nullptr) return missing_stream();
    expire(*found);
    forget_idle();
    if (const auto known = consumers_.find(spec.name); known != consumers_.end()) {
        const Consumer& there = *known->second;
        if (there.spec.filters != spec.filters || there.spec.start_seq != spec.start_seq)
            return refused(kExists, "consumer already exists");
        return bus::ConsumerState{.delivered = there.nth, .pending = there.pending};
    }
    auto consumer = std::make_shared<Consumer>();
    consumer->spec = spec;
    consumer->next =
        std::clamp<std::uint64_t>(spec.start_seq, found->first_seq, found->last_seq + 1);
    consumer->last_sent = consumer->last_asked = schedule_.now();
    consumer->pending = static_cast<std::uint64_t>(
        std::count_if(found->messages.lower_bound(consumer->next), found->messages.end(),
                      [&](const auto& each) { return wants(*consumer, each.second.subject); }));
    consumers_.emplace(spec.name, consumer);
    return bus::ConsumerState{.delivered = 0, .pending = consumer->pending};
}

Broker::Answer<std::monostate> Broker::delete_consumer(const std::string& name) {
    if (unavailable_) return std::nullopt;
    if (stream(core::kStream) == nullptr) return missing_stream();
    forget_idle();
    if (!consumers_.contains(name)) return refused(kNoConsumer, "consumer not found");
    lose(name, "Consumer Deleted");
    return std::monostate{};
}

Broker::Answer<bus::ConsumerState> Broker::consumer_state(const std::string& name) {
    if (unavailable_) return std::nullopt;
    if (stream(core::kStream) == nullptr) return missing_stream();
    forget_idle();
    const auto found = consumers_.find(name);
    if (found == consumers_.end()) return refused(kNoConsumer, "consumer not found");
    return bus::ConsumerState{.delivered = found->second->nth, .pending = found->second->pending};
}

/// Whom nobody has asked for so long as it was made to wait.
void Broker::forget_idle() {
    std::erase_if(consumers_, [&](const auto& each) {
        const Consumer& consumer = *each.second;
        return consumer.pulls.empty() &&
               schedule_.now() - consumer.last_asked >= consumer.spec.inactive;
    });
}

void Broker::lose(const std::string& name, const std::string& why) {
    const auto found = consumers_.find(name);
    if (found == consumers_.end()) return;
    const auto consumer = found->second;
    consumers_.erase(found);
    for (const Consumer::Pull& pull : consumer->pulls) pull.sink.lost(why);
    consumer->pulls.clear();
}

bool Broker::wants(const Consumer& consumer, std::string_view subject) const {
    const auto& filters = consumer.spec.filters;
    if (filters.empty() || (filters.size() > 1 && !options_.filters)) return true;
    return std::any_of(filters.begin(), filters.end(),
                       [&](const std::string& filter) { return matches(filter, subject); });
}

void Broker::pull(const std::string& name, const bus::PullSpec& spec, Sink sink) {
    forget_idle();
    const auto found = consumers_.find(name);
    if (found == consumers_.end()) {
        if (options_.filters) sink.lost("nobody listens");
        return;
    }
    const std::shared_ptr<Consumer> consumer = found->second;
    consumer->last_asked = schedule_.now();
    consumer->pulls.push_back({.left = spec.batch,
                               .bytes_left = spec.max_bytes,
                               .bounded = spec.max_bytes > 0,
                               .expires = schedule_.now() + spec.expires,
                               .heartbeat = spec.heartbeat,
                               .sink = std::move(sink)});
    serve(consumer);
    watch(consumer);
}

void Broker::serve(const std::shared_ptr<Consumer>& consumer) {
    Stream* found = find(core::kStream);
    if (found == nullptr) return;
    auto& pulls = consumer->pulls;
    std::erase_if(pulls, [](const Consumer::Pull& pull) { return pull.sink.wire->broken(); });
    for (auto at = found->messages.lower_bound(consumer->next); at != found->messages.end(); ++at) {
        const auto& [seq, message] = *at;
        if (!wants(*consumer, message.subject)) {
            consumer->next = seq + 1;
            continue;
        }
        const std::size_t size = message.subject.size() + message.bytes.size();
        while (!pulls.empty() && pulls.front().bounded && pulls.front().bytes_left < size) {
            pulls.front().sink.ended({.left = pulls.front().left, .too_large = true});
            pulls.pop_front();
        }
        if (pulls.empty()) return;
        Consumer::Pull& pull = pulls.front();
        consumer->next = seq + 1;
        if (consumer->pending > 0) --consumer->pending;
        consumer->last_sent = schedule_.now();
        pull.sink.delivered({message.subject, message.bytes, seq, message.stored_at},
                            ++consumer->nth, consumer->pending);
        if (pull.bounded) pull.bytes_left -= size;
        if (--pull.left == 0 || (pull.bounded && pull.bytes_left == 0)) pulls.pop_front();
    }
    consumer->next = std::max(consumer->next, found->last_seq + 1);
}

void Broker::end_expired(Consumer& consumer) {
    const Steady now = schedule_.now();
    for (auto pull = consumer.pulls.begin(); pull != consumer.pulls.end();) {
        if (pull->expires > now) {
            ++pull;
            continue;
        }
        pull->sink.ended({.left = pull->left, .too_large = false});
        consumer.last_asked = now;
        pull = consumer.pulls.erase(pull);
    }
}

/// Ends requests in time, and says while there is nothing to deliver that it is there.
void Broker::watch(const std::shared_ptr<Consumer>& consumer) {
    if (consumer->watched || consumer->pulls.empty()) return;
    const Consumer::Pull& front = consumer->pulls.front();
    Steady next = front.expires;
    if (front.heartbeat > 0ns) next = std::min(next, consumer->last_sent + front.heartbeat);
    consumer->watched = true;
    const std::weak_ptr<Consumer> weak = consumer;
    schedule_.at(std::max(next, schedule_.now() + 1us), [this, weak] {
        const auto here = weak.lock();
        if (!here) return;
        here->watched = false;
        std::erase_if(here->pulls, [](const auto& pull) { return pull.sink.wire->broken(); });
        end_expired(*here);
        if (!here->pulls.empty()) {
            const Consumer::Pull& first = here->pulls.front();
            const Steady now = schedule_.now();
            if (first.heartbeat > 0ns && now - here->last_sent >= first.heartbeat) {
                here->last_sent = now;
                first.sink.heartbeat(here->nth, here->next - 1);
            }
        }
        watch(here);
    });
}

}  // namespace saga::sim
