#include "saga/cli/conformance/stand.hpp"

#include <sodium.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <saga/detail/event_type.hpp>
#include <thread>

#include "saga/bus/jetstream.hpp"
#include "saga/cli/buckets.hpp"
#include "saga/cli/history.hpp"
#include "saga/core/subject.hpp"
#include "saga/view/base64.hpp"

namespace saga::cli {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr auto kLook = 5ms;  // between two looks at the stream, of a broker for tests
constexpr std::string_view kStranger = "test.conformance.";  // types that no contract has

Time now() {
    return std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
}

/// By chance, in the form of UUIDv8.
EventId new_id() {
    EventId id;
    randombytes_buf(id.bytes.data(), id.bytes.size());
    id.bytes[6] = static_cast<std::uint8_t>((id.bytes[6] & 0x0FU) | 0x80U);
    id.bytes[8] = static_cast<std::uint8_t>((id.bytes[8] & 0x3FU) | 0x80U);
    return id;
}

/// Whether the message's headers give its event's id to the broker.
bool gives_id(const json& message, const EventId& id) {
    const auto headers = from_base64(field(message, "hdrs", std::string()));
    if (!headers) return false;
    const std::string_view text(reinterpret_cast<const char*>(headers->data()), headers->size());
    return text.find("Nats-Msg-Id: " + id.text() + "\r\n") != std::string_view::npos ||
           text.find("Nats-Msg-Id:" + id.text() + "\r\n") != std::string_view::npos;
}

/// The code of an answer that is a "no"; empty of another.
std::string refusal_in(const std::string& answer) {
    const json read = read_json(answer);
    if (!read.is_object() || !read.contains("refused")) return {};
    return field(read["refused"], "code", std::string());
}

}  // namespace

Stand::Stand(bus::NatsClient& client, const ServiceContract& contract, FieldValues values,
             Limits limits)
    : client_(client), contract_(contract), values_(std::move(values)), limits_(limits) {
    next_seq_ = stream_state(client_, limits_.request).last_seq + 1;
    nonce_ = new_id().text().substr(0, 8);
}

std::string Stand::new_saga() {
    return fmt::format("conformance-{}-{}", nonce_, ++sagas_);
}

const core::PayloadSchema& Stand::schema_of(std::string_view type) const {
    const auto found =
        std::find_if(contract_.payloads.begin(), contract_.payloads.end(),
                     [&](const core::PayloadSchema& each) { return each.knows(type); });
    if (found == contract_.payloads.end())
        throw Stop(kError, fmt::format("the contract of {} has no schema of {}: it is to hold "
                                       "those of all that the service takes and emits",
                                       contract_.service, type));
    return *found;
}

// ---- speaking -----------------------------------------------------------------------------------

Forged Stand::forge(std::string_view type, Kind kind, const std::string& saga, bool newer) {
    return forge(type, kind, saga, make_payload(schema_of(type), type, saga, values_, newer));
}

Forged Stand::forge(std::string_view type, Kind kind, const std::string& saga,
                    std::vector<std::byte> payload) {
    const detail::TypeName name = detail::split_type(type);
    const Time at = now();
    const Time started = started_.try_emplace(saga, at).first->second;
    const core::Envelope envelope{.id = new_id(),
                                  .type = type,
                                  .saga = saga,
                                  .started = started,
                                  .source = name.owner,
                                  .sequence = 1,
                                  .time = at,
                                  .kind = kind,
                                  .because = kind == Kind::failed ? name.name : "",
                                  .payload = payload};
    return {core::subject_of(envelope), core::encode(envelope), envelope.id, started};
}

Forged Stand::failure(const std::string& saga, std::string_view name) {
    return forge(fmt::format("{}{}", kStranger, name), Kind::failed, saga,
                 std::vector<std::byte>(8));
}

void Stand::send(const Forged& event) {
    send(event.subject, event.bytes);
}

void Stand::send(const std::string& subject, Bytes bytes) {
    // Another id for the broker each time: what it has seen before, it would drop.
    const core::Headers headers{{"Nats-Msg-Id", fmt::format("{}-{}", nonce_, ++sent_)}};
    const auto answer = client_.request(subject, bytes, limits_.request, headers);
    const std::string_view text(reinterpret_cast<const char*>(answer.data()), answer.size());
    const auto ack = bus::read_pub_ack(text);
    if (const auto* problem = std::get_if<bus::Problem>(&ack))
        throw Stop(kError, fmt::format("the broker does not take {}: {}", subject, problem->text));
}

std::string Stand::command(const flow::Command& command, const std::string& saga) {
    const auto body = make_payload(schema_of(command.request), command.request, saga, values_);
    std::string answer = "no answer";
    wait([&] {
        try {
            const auto said = client_.request(
                core::request_subject(contract_.service, command.verb), body, limits_.request);
            answer.assign(reinterpret_cast<const char*>(said.data()), said.size());
        } catch (const bus::NoAnswer&) {
            return false;  // it starts again
        }
        const auto refused = refusal_in(answer);
        return refused != "unavailable" && refused != "busy";
    });
    return answer;
}

// ---- listening ----------------------------------------------------------------------------------

const std::vector<Said>& Stand::said(const std::string& saga) {
    read();
    return said_[saga];
}

bool Stand::wait(const std::function<bool()>& met) {
    const auto until = std::chrono::steady_clock::now() + limits_.within;
    while (!met()) {
        if (std::chrono::steady_clock::now() > until) return false;
        std::this_thread::sleep_for(kLook);
    }
    return true;
}

void Stand::read() {
    const std::string filter = fmt::format("saga.{}.>", contract_.service);
    while (true) {
        const json ask{{"seq", next_seq_}, {"next_by_subj", filter}};
        const json answer =
            api_or_null(client_, "$JS.API.STREAM.MSG.GET.SAGA", ask.dump(), limits_.request);
        if (answer.is_null()) return;
        const json message = answer.value("message", json::object());
        next_seq_ = field(message, "seq", next_seq_) + 1;
        read(message);
    }
}

void Stand::read(const json& message) {
    const auto bytes = from_base64(field(message, "data", std::string()));
    const std::string subject = field(message, "subject", std::string());
    if (!bytes) return;
    const auto read = core::decode(*bytes);
    const auto* e = std::get_if<core::Envelope>(&read);
    if (e == nullptr) {
        said_["?"].push_back({.wrong = std::get<core::Unreadable>(read).why});
        return;
    }
    std::vector<Said>& all = said_[std::string(e->saga)];
    started_.try_emplace(std::string(e->saga), e->started);
    if (std::any_of(all.begin(), all.end(), [&](const Said& each) { return each.id == e->id; }))
        return;
    Said one{.id = e->id,
             .cause = e->cause,
             .type = std::string(e->type),
             .event = std::string(detail::split_type(e->type).name),
             .because = std::string(e->because),
             .kind = e->kind,
             .started = e->started,
             .hops = e->hops,
             .wrong = core::spoofed(subject, *e).value_or("")};
    if (one.wrong.empty() && !gives_id(message, e->id))
        one.wrong = "its header Nats-Msg-Id is not its id";
    all.push_back(std::move(one));
}

std::uint64_t Stand::letters() {
    const json ask{{"subjects_filter", fmt::format("saga-dlq.{}.>", contract_.service)}};
    const json info =
        api_or_null(client_, "$JS.API.STREAM.INFO.SAGA_DLQ", ask.dump(), limits_.request);
    std::uint64_t count = 0;
    if (!info.is_object() || !info.contains("state")) return count;
    const json subjects = info["state"].value("subjects", json::object());
    for (const auto& [subject, messages] : subjects.items())
        if (messages.is_number_unsigned()) count += messages.get<std::uint64_t>();
    return count;
}

}  // namespace saga::cli
