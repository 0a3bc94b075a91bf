#include "saga/view/message_json.hpp"

#include <fmt/format.h>

#include <cstring>
#include <nlohmann/json.hpp>
#include <saga/detail/event_type.hpp>

#include "engine_generated.h"
#include "saga/core/limits.hpp"
#include "saga/core/subject.hpp"
#include "saga/view/base64.hpp"

namespace saga::view {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kShown = 48;  // bytes of what cannot be read
constexpr int kNested = 2;          // dead letters about dead letters

ordered_json message_json(Bytes body, const Schemas& schemas, int depth);

std::string text(const flatbuffers::String* text) {
    return text == nullptr ? "" : text->str();
}

std::string id_text(const flatbuffers::Vector<std::uint8_t>* bytes) {
    EventId id;
    if (bytes == nullptr || bytes->size() != id.bytes.size()) return "";
    std::memcpy(id.bytes.data(), bytes->data(), id.bytes.size());
    return id ? id.text() : "";
}

/// The engine's own tables, which stand in no contract.
template <class Table>
const Table* sound(Bytes payload) {
    const auto* data = reinterpret_cast<const std::uint8_t*>(payload.data());
    flatbuffers::Verifier verifier(data, payload.size(), detail::kMaxTableDepth,
                                   detail::kMaxTables);
    const bool holds =
        payload.size() >= sizeof(flatbuffers::uoffset_t) && verifier.VerifyBuffer<Table>(nullptr);
    return holds ? flatbuffers::GetRoot<Table>(data) : nullptr;
}

ordered_json dead_letter(Bytes payload, const Schemas& schemas, int depth) {
    const auto* letter = sound<wire::DeadLetter>(payload);
    if (letter == nullptr) return {{"error", "it is no sound table"}};
    ordered_json json{{"service", text(letter->service())},
                      {"reason", text(letter->reason())},
                      {"step", text(letter->step())},
                      {"attempts", letter->attempts()},
                      {"event_id", id_text(letter->event_id())},
                      {"subject", text(letter->subject())},
                      {"stream_seq", letter->stream_seq()},
                      {"blocks", letter->blocks()}};
    if (letter->message() == nullptr || letter->message()->size() == 0) return json;
    const auto* begin = reinterpret_cast<const std::byte*>(letter->message()->data());
    const std::vector<std::byte> message(begin, begin + letter->message()->size());  // aligned
    json["message"] = message_json(message, schemas, depth + 1);
    if (message.size() == core::kMaxDeadLetterCopy && json["message"].contains("error"))
        json["message"]["error"] =
            "only its first 64 KiB travel with the notice: the whole stands "
            "with the service, see saga dlq show";
    return json;
}

ordered_json operator_acted(Bytes payload) {
    const auto* acted = sound<wire::OperatorActed>(payload);
    if (acted == nullptr) return {{"error", "it is no sound table"}};
    return {{"action", text(acted->action())}, {"what", text(acted->what())},
            {"step", text(acted->step())},     {"event_id", id_text(acted->event_id())},
            {"position", acted->position()},   {"reason", text(acted->reason())}};
}

ordered_json payload_json(std::string_view type, Bytes payload, const Schemas& schemas, int depth) {
    if (reinterpret_cast<std::uintptr_t>(payload.data()) % 8 != 0) {  // its writer aligns nothing
        const std::vector<std::byte> aligned(payload.begin(), payload.end());
        return payload_json(type, aligned, schemas, depth);
    }
    if (type == "saga.wire.OperatorActed") return operator_acted(payload);
    if (type == "saga.wire.DeadLetter" && depth < kNested)
        return dead_letter(payload, schemas, depth);
    return schemas.payload(type, payload);
}

ordered_json event_json(const core::Envelope& envelope, const Schemas& schemas, int depth) {
    ordered_json json{{"id", envelope.id.text()},
                      {"type", envelope.type},
                      {"saga", envelope.saga},
                      {"kind", core::name_of(envelope.kind)},
                      {"service", envelope.source},
                      {"step", envelope.step},
                      {"time", core::rfc3339(envelope.time)},
                      {"started", core::rfc3339(envelope.started)}};
    if (envelope.cause) json["cause"] = envelope.cause.text();
    if (!envelope.because.empty()) json["because"] = envelope.because;
    json["hops"] = envelope.hops;
    json["sequence"] = envelope.sequence;
    if (!envelope.trace.empty()) json["traceparent"] = envelope.trace;
    if (!envelope.sealed.empty()) json["sealed_bytes"] = envelope.sealed.size();
    json["payload"] = payload_json(envelope.type, envelope.payload, schemas, depth);
    return json;
}

ordered_json message_json(Bytes body, const Schemas& schemas, int depth) {
    const auto read = core::decode(body);
    if (const auto* envelope = std::get_if<core::Envelope>(&read))
        return event_json(*envelope, schemas, depth);
    return {{"error", std::get<core::Unreadable>(read).why},
            {"bytes", body.size()},
            {"begins", to_base64(body.first(std::min(body.size(), kShown)))}};
}

}  // namespace

nlohmann::ordered_json message_json(Bytes body, const Schemas& schemas) {
    return message_json(body, schemas, 0);
}
nlohmann::ordered_json event_json(const core::Envelope& envelope, const Schemas& schemas) {
    return event_json(envelope, schemas, 0);
}
nlohmann::ordered_json payload_json(std::string_view type, Bytes payload, const Schemas& schemas) {
    return payload_json(type, payload, schemas, 0);
}

std::string line(const nlohmann::ordered_json& json) {
    const std::string dumped = json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
    std::string safe;
    safe.reserve(dumped.size());
    for (std::size_t i = 0; i < dumped.size(); ++i) {
        const auto byte = static_cast<std::uint8_t>(dumped[i]);
        const auto next = static_cast<std::uint8_t>(i + 1 < dumped.size() ? dumped[i + 1] : 0);
        if (byte == 0x7F) {
            safe += "\\u007f";
        } else if (byte == 0xC2 && next >= 0x80 && next < 0xA0) {
            safe += fmt::format("\\u{:04x}", next);
            ++i;
        } else {
            safe += dumped[i];
        }
    }
    return safe;
}

}  // namespace saga::view
