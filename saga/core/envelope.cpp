#include "saga/core/envelope.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <cstring>
#include <saga/detail/event_type.hpp>

#include "envelope_generated.h"
#include "saga/core/limits.hpp"
#include "saga/core/subject.hpp"
#include "saga/core/text.hpp"

namespace saga::core {
namespace {

using flatbuffers::FlatBufferBuilder;

flatbuffers::Offset<flatbuffers::String> text(FlatBufferBuilder& builder, std::string_view value) {
    return value.empty() ? flatbuffers::Offset<flatbuffers::String>()
                         : builder.CreateString(value.data(), value.size());
}
flatbuffers::Offset<flatbuffers::Vector<std::uint8_t>> blob(FlatBufferBuilder& builder,
                                                            Bytes value) {
    return value.empty() ? flatbuffers::Offset<flatbuffers::Vector<std::uint8_t>>()
                         : builder.CreateVector(reinterpret_cast<const std::uint8_t*>(value.data()),
                                                value.size());
}
Bytes bytes_of(const EventId& id) {
    return std::as_bytes(std::span(id.bytes));
}

std::string_view view(const flatbuffers::String* text) {
    return text == nullptr ? std::string_view{} : text->string_view();
}
Bytes view(const flatbuffers::Vector<std::uint8_t>* bytes) {
    return bytes == nullptr
               ? Bytes{}
               : Bytes{reinterpret_cast<const std::byte*>(bytes->data()), bytes->size()};
}
EventId id_of(Bytes bytes) {
    EventId id;
    if (bytes.size() == id.bytes.size()) std::memcpy(id.bytes.data(), bytes.data(), bytes.size());
    return id;
}

/// The first thing that is wrong with a sound table's values.
std::optional<std::string> fault_of(const Envelope& envelope, std::size_t cause_size) {
    if (!envelope.id) return "its id is not 16 bytes";
    if (cause_size != 0 && cause_size != envelope.cause.bytes.size())
        return "its cause is not 16 bytes";
    if (!is_type(envelope.type)) return "its type is no table's name";
    if (!is_saga_id(envelope.saga)) return "its saga id is not [A-Za-z0-9_-]{1,64}";
    if (!is_name(envelope.source)) return "its source is no service's name";
    for (const Time time : {envelope.started, envelope.time})
        if (time < Time{} || time > kLastTime) return "its time is not of the years 1970 to 9999";
    if (envelope.kind > Kind::ended) return "its kind is unknown";
    if (!envelope.step.empty() && !is_name(envelope.step)) return "its step is no name";
    if (envelope.because.size() > kMaxName ||
        (!envelope.because.empty() && !is_token(envelope.because)))
        return "what failed the saga is no event's name";
    if (envelope.trace.size() > kMaxName || (!envelope.trace.empty() && !is_token(envelope.trace)))
        return "its trace context is not a traceparent";
    if (envelope.payload.empty()) return "it has no payload";
    return std::nullopt;
}

}  // namespace

std::vector<std::byte> encode(const Envelope& envelope) {
    FlatBufferBuilder builder(512 + envelope.payload.size() + envelope.sealed.size());
    builder.ForceVectorAlignment(envelope.payload.size(), sizeof(std::uint8_t), 8);
    const auto payload = blob(builder, envelope.payload);
    const auto sealed = blob(builder, envelope.sealed);
    const auto trace = text(builder, envelope.trace);
    const auto because = text(builder, envelope.because);
    const auto step = text(builder, envelope.step);
    const auto source = text(builder, envelope.source);
    const auto cause = envelope.cause ? blob(builder, bytes_of(envelope.cause)) : 0;
    const auto saga = text(builder, envelope.saga);
    const auto type = text(builder, envelope.type);
    const auto id = blob(builder, bytes_of(envelope.id));
    wire::EnvelopeBuilder table(builder);
    table.add_id(id);
    table.add_type(type);
    table.add_saga(saga);
    table.add_started(envelope.started.time_since_epoch().count());
    table.add_cause(cause);
    table.add_source(source);
    table.add_sequence(envelope.sequence);
    table.add_time(envelope.time.time_since_epoch().count());
    table.add_kind(static_cast<wire::Kind>(envelope.kind));
    table.add_step(step);
    table.add_because(because);
    table.add_hops(envelope.hops);
    table.add_trace(trace);
    table.add_sealed(sealed);
    table.add_payload(payload);
    wire::FinishEnvelopeBuffer(builder, table.Finish());
    const auto* begin = reinterpret_cast<const std::byte*>(builder.GetBufferPointer());
    return {begin, begin + builder.GetSize()};
}

std::variant<Envelope, Unreadable> decode(Bytes bytes) {
    if (bytes.size() > kMaxMessage)
        return Unreadable{fmt::format("it has {} bytes, more than {}", bytes.size(), kMaxMessage)};
    const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data());
    if (bytes.size() < 8 || !wire::EnvelopeBufferHasIdentifier(data))
        return Unreadable{"it does not carry the file identifier SAGA"};
    flatbuffers::Verifier verifier(data, bytes.size(), detail::kMaxTableDepth, detail::kMaxTables);
    if (!wire::VerifyEnvelopeBuffer(verifier)) return Unreadable{"it is no sound Envelope table"};

    const wire::Envelope& table = *wire::GetEnvelope(data);
    const Bytes cause = view(table.cause());
    const Envelope envelope{
        .id = id_of(view(table.id())),
        .type = view(table.type()),
        .saga = view(table.saga()),
        .started = Time(std::chrono::microseconds(table.started())),
        .cause = id_of(cause),
        .source = view(table.source()),
        .sequence = table.sequence(),
        .time = Time(std::chrono::microseconds(table.time())),
        .kind = static_cast<Kind>(table.kind()),
        .step = view(table.step()),
        .because = view(table.because()),
        .hops = table.hops(),
        .trace = view(table.trace()),
        .sealed = view(table.sealed()),
        .payload = view(table.payload()),
    };
    if (const auto fault = fault_of(envelope, cause.size())) return Unreadable{*fault};
    return envelope;
}

std::optional<std::string> spoofed(std::string_view subject, const Envelope& envelope) {
    const std::optional<EventSubject> tokens = parse_event_subject(subject);
    if (!tokens) return "its subject is no event's";
    const detail::TypeName type = detail::split_type(envelope.type);
    const bool engine = envelope.type.starts_with("saga.wire.");  // any service publishes those
    if (tokens->service != envelope.source) return "its subject names another service";
    if (!engine && type.owner != envelope.source)
        return fmt::format("{} belongs to {}, not to {}", type.name, type.owner, envelope.source);
    if (tokens->kind != envelope.kind) return "its subject names another kind";
    if (tokens->event != type.name) return "its subject names another event";
    if (tokens->partition != partition_token(envelope.saga))
        return "its subject names another partition";
    if (!tokens->saga_id.empty() && tokens->saga_id != envelope.saga)
        return "its subject names another saga";
    return std::nullopt;
}

std::string rfc3339(Time time) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
    return fmt::format("{:%FT%T}.{:06}Z", fmt::gmtime(seconds.time_since_epoch().count()),
                       (time - seconds).count());
}

Headers headers_of(const Envelope& envelope) {
    const std::string id = envelope.id.text();
    const std::string saga(envelope.saga);
    constexpr auto kMediaType = "application/x-flatbuffers";
    Headers headers;
    headers.reserve(15);
    headers.emplace_back("Nats-Msg-Id", id);
    headers.emplace_back("ce-specversion", "1.0");
    headers.emplace_back("ce-id", id);
    headers.emplace_back("ce-source", fmt::format("/{}", envelope.source));
    headers.emplace_back("ce-type", envelope.type);
    headers.emplace_back("ce-time", rfc3339(envelope.time));
    headers.emplace_back("ce-subject", saga);
    headers.emplace_back("ce-datacontenttype", kMediaType);
    headers.emplace_back("content-type", kMediaType);
    headers.emplace_back("ce-dataschema", fmt::format("saga:{}", envelope.type));
    headers.emplace_back("ce-correlationid", saga);
    headers.emplace_back("ce-sequence", fmt::format("{:020}", envelope.sequence));
    headers.emplace_back("ce-sagakind", name_of(envelope.kind));
    if (envelope.cause) headers.emplace_back("ce-causationid", envelope.cause.text());
    if (!envelope.trace.empty())
        headers.emplace_back("traceparent", percent_encoded(envelope.trace));
    return headers;
}

std::string subject_of(const Envelope& envelope) {
    return event_subject(envelope.source, envelope.kind, detail::split_type(envelope.type).name,
                         envelope.saga, false);
}

}  // namespace saga::core
