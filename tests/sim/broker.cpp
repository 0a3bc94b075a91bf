#include "tests/sim/broker.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "saga/bus/topology.hpp"
#include "saga/core/subject.hpp"
#include "tests/sim/broker_detail.hpp"

namespace saga::sim {
namespace {

using namespace std::chrono_literals;

constexpr auto kIdHeader = "Nats-Msg-Id";

std::string_view value_of(const core::Headers& headers, std::string_view name) {
    const auto found = std::find_if(headers.begin(), headers.end(),
                                    [&](const auto& each) { return each.first == name; });
    return found == headers.end() ? std::string_view{} : std::string_view(found->second);
}

/// As they stand on the wire: "NATS/1.0", a line for each, an empty one.
std::size_t size_of(const core::Headers& headers) {
    std::size_t size = headers.empty() ? 0 : 12;
    for (const auto& [name, value] : headers) size += name.size() + value.size() + 4;
    return size;
}

}  // namespace

bool matches(std::string_view filter, std::string_view subject) {
    while (true) {
        const auto filter_end = filter.find('.'), end = subject.find('.');
        const std::string_view wanted = filter.substr(0, filter_end);
        if (wanted == ">") return !subject.empty();
        if (wanted != "*" && wanted != subject.substr(0, end)) return false;
        const bool last = filter_end == std::string_view::npos;
        if (last || end == std::string_view::npos) return last && end == std::string_view::npos;
        filter.remove_prefix(filter_end + 1);
        subject.remove_prefix(end + 1);
    }
}

struct Broker::Bucket {
    std::map<std::string, bus::Entry> entries;
    std::uint64_t last_revision = 0;
};

struct Broker::Store {
    std::map<std::string, Stream, std::less<>> streams;
    std::map<std::string, Bucket> buckets;
};

struct Broker::Image {
    Store store;
};

Broker::Broker(Schedule& schedule, Options options)
    : schedule_(schedule), options_(options), store_(std::make_unique<Store>()) {}

Broker::~Broker() = default;

/// No two messages have the same store time: the real clock counts nanoseconds.
core::StoreTime Broker::stamp() {
    return last_stamp_ = std::max(schedule_.date(), last_stamp_ + 1ns);
}

void Broker::trace(std::string_view word, std::uint64_t number) {
    constexpr std::uint64_t kPrime = 0x100000001b3ULL;  // FNV-1a
    for (const char c : word) trace_ = (trace_ ^ static_cast<unsigned char>(c)) * kPrime;
    trace_ = (trace_ ^ number) * kPrime;
}

void Broker::make_assets() {
    if (!up_) return;
    for (const bus::Asset& asset : bus::assets(1, 0)) {
        if (asset.stream.starts_with("KV_")) {
            store_->buckets.try_emplace(asset.stream.substr(3));
            continue;
        }
        const bool events = asset.stream == core::kStream;
        const auto [at, made] = store_->streams.try_emplace(asset.stream);
        if (!made) continue;
        at->second.name = asset.stream;
        at->second.config = asset.config;
        at->second.prefix = events ? "saga." : "saga-dlq.";
        at->second.max_message =
            nlohmann::json::parse(asset.config).value("max_msg_size", std::size_t{0});
        at->second.created = stamp();
    }
}

std::vector<std::uint64_t> Stream::holes() const {
    std::vector<std::uint64_t> found;
    std::uint64_t expected = first_seq;
    for (const auto& [seq, message] : messages) {
        for (; expected < seq; ++expected) found.push_back(expected);
        ++expected;
    }
    for (; expected <= last_seq; ++expected) found.push_back(expected);
    return found;
}

// ---- what befalls it ----------------------------------------------------------------------------

void Broker::kill() {
    up_ = false;
    consumers_.clear();
    stored_.clear();
    stored_since_.clear();
    snap_all();
    listening_.clear();
    inboxes_.clear();
}

void Broker::lose_leader() {
    while (!consumers_.empty()) lose(consumers_.begin()->first, "Leadership Change");
    stored_.clear();
    stored_since_.clear();
}

void Broker::start() {
    up_ = true;
    unavailable_ = false;
    for (const auto& [name, stream] : store_->streams) remember(stream);
}

void Broker::remember(const Stream& stream) {
    for (const auto& [seq, message] : stream.messages) {
        const Duration age = schedule_.date() - message.stored_at;
        if (!message.id.empty() && age < options_.dedupe_window)
            know(stream.name + message.id, seq, schedule_.now() - age);
    }
}

void Broker::know(const std::string& id, std::uint64_t seq, Steady since) {
    stored_[id] = {seq, since};
    stored_since_.emplace_back(since, id);
}

void Broker::forget_known() {
    while (!stored_since_.empty() &&
           schedule_.now() - stored_since_.front().first >= options_.dedupe_window) {
        const auto known = stored_.find(stored_since_.front().second);
        if (known != stored_.end() && known->second.second == stored_since_.front().first)
            stored_.erase(known);
        stored_since_.pop_front();
    }
}

void Broker::lose_tail(std::uint64_t messages) {
    for (auto& [name, stream] : store_->streams) {
        const std::uint64_t lost = std::min(messages, stream.last_seq + 1 - stream.first_seq);
        stream.last_seq -= lost;
        stream.messages.erase(stream.messages.upper_bound(stream.last_seq), stream.messages.end());
        if (stream.last_seq == 0) stream.first_seq = 1;
    }
}

std::shared_ptr<const Broker::Image> Broker::save() const {
    return std::make_shared<Image>(Image{*store_});
}

void Broker::restore(const std::shared_ptr<const Image>& image) {
    *store_ = image->store;
}

void Broker::wipe() {
    *store_ = Store();
}

void Broker::remove(std::uint64_t seq) {
    Stream* stream = find(core::kStream);
    if (stream == nullptr || stream->messages.erase(seq) == 0) return;
    for (const auto& [name, consumer] : consumers_)
        if (consumer->next <= seq && consumer->pending > 0) --consumer->pending;
    if (seq == stream->first_seq) purge_below(seq + 1);
}

void Broker::purge_below(std::uint64_t seq) {
    Stream* stream = find(core::kStream);
    if (stream == nullptr || seq <= stream->first_seq) return;
    stream->messages.erase(stream->messages.begin(), stream->messages.lower_bound(seq));
    const bool empty = stream->messages.empty();
    stream->first_seq = empty ? stream->last_seq + 1 : stream->messages.begin()->first;
    for (const auto& each : consumers_) {
        Consumer& consumer = *each.second;
        consumer.next = std::max(consumer.next, stream->first_seq);
        consumer.pending = static_cast<std::uint64_t>(std::count_if(
            stream->messages.lower_bound(consumer.next), stream->messages.end(),
            [&](const auto& message) { return wants(consumer, message.second.subject); }));
    }
}

void Broker::expire(Stream& stream) {
    const core::StoreTime oldest = schedule_.date() - options_.max_age;
    while (!stream.messages.empty() && stream.messages.begin()->second.stored_at < oldest) {
        stream.messages.erase(stream.messages.begin());
        stream.first_seq =
            stream.messages.empty() ? stream.last_seq + 1 : stream.messages.begin()->first;
    }
}

void Broker::delete_stream() {
    while (!consumers_.empty()) lose(consumers_.begin()->first, "Consumer Deleted");
    store_->streams.erase(std::string(core::kStream));
    stored_.clear();
    stored_since_.clear();
}

void Broker::delete_consumer_of(const std::string& name) {
    lose(name, "Consumer Deleted");
}

void Broker::snap_all() {
    for (const auto& weak : std::exchange(wires_, {}))
        if (const auto wire = weak.lock()) wire->snap();
}

const Stream* Broker::stream(std::string_view name) const {
    const auto found = store_->streams.find(name);
    return found == store_->streams.end() ? nullptr : &found->second;
}

Stream* Broker::find(std::string_view name) {
    return const_cast<Stream*>(stream(name));
}

// ---- from a wire --------------------------------------------------------------------------------

void Broker::connect(const std::shared_ptr<Wire>& wire) {
    std::erase_if(wires_, [](const auto& weak) { return weak.expired(); });
    wires_.push_back(wire);
}

Broker::Answer<bus::StreamInfo> Broker::stream_info() {
    if (unavailable_) return std::nullopt;
    Stream* found = find(core::kStream);
    if (found == nullptr) return missing_stream();
    expire(*found);
    std::vector<std::uint64_t> holes = found->holes();
    return bus::StreamInfo{.state = {.created = found->created,
                                     .first_seq = found->first_seq,
                                     .last_seq = found->last_seq,
                                     .deleted = holes.size(),
                                     .holes = std::move(holes)},
                           .config = found->config};
}

Broker::Answer<bus::StoredMessage> Broker::message_at(std::uint64_t seq) {
    if (unavailable_) return std::nullopt;
    const Stream* found = stream(core::kStream);
    if (found == nullptr) return missing_stream();
    const auto at = found->messages.find(seq);
    if (at == found->messages.end()) return refused(kNoMessage, "no message found");
    const Stream::Message& message = at->second;
    return bus::StoredMessage{message.subject, message.bytes, seq, message.stored_at};
}

// ---- publishing, buckets ------------------------------------------------------------------------

Broker::Answer<bus::PubAck> Broker::publish(const std::string& subject,
                                            const core::Headers& headers, Bytes body) {
    const auto found =
        std::find_if(store_->streams.begin(), store_->streams.end(),
                     [&](const auto& each) { return subject.starts_with(each.second.prefix); });
    if (found == store_->streams.end())
        return Problem{bus::Trouble::no_responders, 0, "no stream takes the event"};
    if (unavailable_) return std::nullopt;
    Stream& into = found->second;
    const std::string id(value_of(headers, kIdHeader));
    if (const auto known = stored_.find(into.name + id); !id.empty() && known != stored_.end()) {
        if (schedule_.now() - known->second.second < options_.dedupe_window) {
            ++duplicates_;
            return bus::PubAck{.seq = known->second.first, .duplicate = true};
        }
    }
    if (into.max_message > 0 && size_of(headers) + body.size() > into.max_message)
        return refused(kTooLarge, "message size exceeds maximum allowed");
    if (full_ && into.name == core::kStream) return refused(kFull, "maximum messages exceeded");
    forget_known();
    const std::uint64_t seq = ++into.last_seq;
    const core::StoreTime now = stamp();
    into.messages[seq] = {subject, id, {body.begin(), body.end()}, now};
    trace(subject, seq);
    trace(id, static_cast<std::uint64_t>(now.time_since_epoch().count()));
    if (!id.empty()) know(into.name + id, seq, schedule_.now());
    if (into.name != core::kStream) return bus::PubAck{.seq = seq, .duplicate = false};
    for (const auto& [name, consumer] : consumers_) {
        if (wants(*consumer, subject)) ++consumer->pending;
        serve(consumer);
    }
    return bus::PubAck{.seq = seq, .duplicate = false};
}

Broker::Answer<std::optional<bus::Entry>> Broker::get(const std::string& bucket,
                                                      const std::string& key) {
    const auto found = store_->buckets.find(bucket);
    if (unavailable_ || (found == store_->buckets.end() && !options_.filters)) return std::nullopt;
    if (found == store_->buckets.end())
        return Problem{bus::Trouble::no_responders, 0, "nobody answers there: is JetStream on?"};
    const auto entry = found->second.entries.find(key);
    if (entry == found->second.entries.end()) return std::optional<bus::Entry>();
    return std::optional(entry->second);
}

Broker::Answer<std::uint64_t> Broker::put(const std::string& bucket, const std::string& key,
                                          const std::string& value,
                                          std::optional<std::uint64_t> revision) {
    const auto found = store_->buckets.find(bucket);
    if (found == store_->buckets.end())
        return Problem{bus::Trouble::no_responders, 0, "nobody answers there: is JetStream on?"};
    if (unavailable_) return std::nullopt;
    Bucket& into = found->second;
    const auto known = into.entries.find(key);
    const std::uint64_t stands = known == into.entries.end() ? 0 : known->second.revision;
    if (revision && *revision != stands)
        return refused(kWrongRevision, fmt::format("wrong last sequence: {}", stands));
    into.entries[key] = {value, ++into.last_revision, stamp()};
    return into.last_revision;
}

// ---- requests -----------------------------------------------------------------------------------

void Broker::listen(const std::shared_ptr<Wire>& wire, const std::string& subject,
                    OnRequest asked) {
    listening_.push_back({wire, subject, std::move(asked)});
}

void Broker::unlisten(const std::shared_ptr<Wire>& wire) {
    std::erase_if(listening_, [&](const Listening& each) { return each.wire == wire; });
}

bool Broker::request(const std::string& subject, std::string_view body,
                     std::function<void(std::string)> answered) {
    std::erase_if(listening_, [](const Listening& each) { return each.wire->broken(); });
    const std::string reply = fmt::format("_INBOX.{}", ++last_inbox_);
    bool heard = false;
    const auto* begin = reinterpret_cast<const std::byte*>(body.data());
    for (const Listening& each : listening_) {
        if (each.subject != subject) continue;
        heard = true;
        each.asked({subject, reply, {begin, begin + body.size()}});
    }
    if (heard) inboxes_.emplace(reply, std::move(answered));
    return heard;
}

void Broker::answer(const std::string& reply, std::string_view body) {
    const auto found = inboxes_.find(reply);
    if (found == inboxes_.end()) return;
    const auto answered = std::move(found->second);
    inboxes_.erase(found);
    answered(std::string(body));
}

}  // namespace saga::sim
