#include "saga/verify/facts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <saga/error.hpp>

namespace saga::verify {

bool Event::operation() const {
    return type == "saga.wire.OperatorActed";
}

std::optional<std::string_view> Event::failure() const {
    if (kind == Kind::failed) return name();
    if (kind == Kind::undone) return because.empty() ? "?" : std::string_view(because);
    if (kind == Kind::ended && !because.empty()) return because;
    return std::nullopt;
}

std::string text_of(const Event& event) {
    return fmt::format("{} ({})", event.name(), event.id.text());
}

Event event_of(const core::Envelope& envelope) {
    return {.id = envelope.id,
            .cause = envelope.cause,
            .type = std::string(envelope.type),
            .saga = std::string(envelope.saga),
            .source = std::string(envelope.source),
            .step = std::string(envelope.step),
            .because = std::string(envelope.because),
            .kind = envelope.kind,
            .started = envelope.started,
            .hops = envelope.hops};
}

bool Known::failed_by(std::string_view failure) const {
    return std::find(row.failures.begin(), row.failures.end(), failure) != row.failures.end();
}

const StepRow* Known::step(std::string_view name, const EventId& run) const {
    const auto found = std::lower_bound(
        steps.begin(), steps.end(), std::pair(name, run), [](const StepRow& row, const auto& key) {
            return std::pair<std::string_view, EventId>(row.step, row.run) < key;
        });
    return found != steps.end() && found->step == name && found->run == run ? &*found : nullptr;
}

bool Known::dead() const {
    return std::any_of(parked.begin(), parked.end(),
                       [](const auto& each) { return each.state == core::Parking::dead; }) ||
           std::any_of(calls.begin(), calls.end(), [](const auto& each) { return each.dead; });
}

std::size_t HashId::operator()(const EventId& id) const {
    std::size_t hash = 0;  // the end of an id is a hash already
    static_assert(sizeof(hash) <= sizeof(id.bytes));
    std::memcpy(&hash, id.bytes.data() + sizeof(id.bytes) - sizeof(hash), sizeof(hash));
    return hash;
}

const Known* Service::find(const std::string& saga_id) const {
    const auto found = by_id.find(saga_id);
    return found == by_id.end() ? nullptr : found->second;
}

bool Service::has(const EventId& event, Trace::In in, std::string_view name) const {
    const auto found = traces.find(event);
    return found != traces.end() &&
           std::any_of(found->second.begin(), found->second.end(),
                       [&](const Trace& each) { return each.in == in && each.name == name; });
}

bool Service::stands_aside(const EventId& event) const {
    const auto found = traces.find(event);
    return found != traces.end() &&
           std::any_of(found->second.begin(), found->second.end(),
                       [](const Trace& each) { return each.in == Trace::In::aside; });
}

// ---- all of them --------------------------------------------------------------------------------

Facts::Facts(const Landscape& landscape, const Options& options)
    : whole(landscape.stream_whole), outbox_horizon_(options.outbox_horizon) {
    services.reserve(landscape.services.size());
    for (const ServiceView& view : landscape.services) {
        const Service& service = services.emplace_back(read_service(view));
        auto& shards = by_name_[service.name];
        for (const Service* other : shards)
            if (other->shard.of != service.shard.of || other->shard == service.shard)
                throw Error(fmt::format("two databases are of the service {}", service.name));
        shards.push_back(&service);
    }
    read_stream(landscape.stream);
    for (const Service& service : services)
        for (const auto& [key, known] : service.sagas)
            if (known.operated || known.dead()) excused_.insert(known.row.id);
    look_at_times();
}

void Facts::read_stream(const std::vector<Stored>& messages) {
    stream.reserve(messages.size());
    if (!messages.empty()) {
        first_seq = messages.front().seq;
        last_seq = messages.back().seq;
    }
    for (const Stored& stored : messages) {
        const auto read = core::decode(stored.bytes);
        const auto* envelope = std::get_if<core::Envelope>(&read);
        if (envelope == nullptr) {
            junk.push_back({stored.seq,
                            stored.stored_at,
                            stored.subject,
                            std::get<core::Unreadable>(read).why,
                            {},
                            {}});
        } else if (const auto why = core::spoofed(stored.subject, *envelope)) {
            junk.push_back({stored.seq, stored.stored_at, stored.subject, *why, envelope->id,
                            std::string(envelope->source)});
        } else {
            by_id_.emplace(envelope->id, stream.size());
            stream.push_back({stored.seq, stored.stored_at, event_of(*envelope)});
        }
    }
}

/// Clocks stand apart by so much at most: what may be old counts as old.
void Facts::look_at_times() {
    for (const Service& service : services)
        for (const auto& [key, known] : service.sagas) latest_ = std::max(latest_, known.touched);
    for (const Message& message : stream)
        latest_ =
            std::max(latest_, std::chrono::floor<std::chrono::microseconds>(message.stored_at));
    latest_ += core::kClockSkew;
}

const Service* Facts::service(std::string_view name, std::string_view saga) const {
    const auto found = by_name_.find(name);
    if (found == by_name_.end()) return nullptr;
    for (const Service* service : found->second)
        if (service->shard.takes(saga)) return service;
    return nullptr;
}

const Message* Facts::message(const EventId& id) const {
    const auto found = by_id_.find(id);
    return found == by_id_.end() ? nullptr : &stream[found->second];
}

std::optional<core::Checkpoint> Facts::stored(std::uint64_t seq) const {
    const auto below = [](const auto& message, std::uint64_t at) { return message.seq < at; };
    const auto event = std::lower_bound(stream.begin(), stream.end(), seq, below);
    if (event != stream.end() && event->seq == seq)
        return core::Checkpoint{seq, event->stored_at, event->event.id};
    const auto none = std::lower_bound(junk.begin(), junk.end(), seq, below);
    if (none != junk.end() && none->seq == seq)
        return core::Checkpoint{seq, none->stored_at, none->id};
    return std::nullopt;
}

bool Facts::exists(const EventId& id) const {
    return message(id) != nullptr ||
           std::any_of(services.begin(), services.end(),
                       [&](const auto& s) { return s.sent.contains(id); });
}

}  // namespace saga::verify
