#include "saga/cli/chaos/attack.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "saga/cli/buckets.hpp"
#include "saga/cli/history.hpp"
#include "saga/core/subject.hpp"
#include "saga/view/base64.hpp"

namespace saga::cli {
namespace {

using namespace std::chrono_literals;
using Bin = std::vector<std::byte>;

constexpr auto kRequest = 1'000ms;
constexpr int kTries = 40;                     // to find an event that suits
constexpr std::size_t kOversize = 300 * 1024;  // bytes: more than an event may have
constexpr std::size_t kNoise = 300, kNested = 60'000;

/// Offsets that lead from table to table to table, as deep as there are bytes.
Bin nested(std::size_t size) {
    Bin bytes(size);
    for (std::size_t i = 0; i + 4 <= size; i += 4) bytes[i] = std::byte{4};
    constexpr std::string_view kIdentifier = "SAGA";
    for (std::size_t i = 0; i < kIdentifier.size(); ++i) bytes[4 + i] = std::byte(kIdentifier[i]);
    return bytes;
}

}  // namespace

Bin Attack::noise(std::size_t size) {
    Bin bytes(size);
    for (std::byte& each : bytes) each = static_cast<std::byte>(chance_());
    return bytes;
}

bool Attack::publish(const std::string& subject, const Bin& bytes) {
    try {
        const auto answer = stage_.client().request(subject, bytes, kRequest);
        const std::string_view text(reinterpret_cast<const char*>(answer.data()), answer.size());
        return text.find("\"seq\"") != std::string_view::npos;
    } catch (const Error&) {
        return false;  // the broker is away, or refuses
    }
}

std::optional<Attack::Sample> Attack::sample(bool old) {
    try {
        const StreamState state = stream_state(stage_.client(), kRequest);
        if (state.last_seq < state.first_seq) return std::nullopt;
        const std::uint64_t last =
            old ? state.first_seq + (state.last_seq - state.first_seq) / 2 : state.last_seq;
        const nlohmann::json ask{
            {"seq", std::uniform_int_distribution(state.first_seq, last)(chance_)}};
        const auto answer =
            api_or_null(stage_.client(), "$JS.API.STREAM.MSG.GET.SAGA", ask.dump(), kRequest);
        const auto message = answer.is_object() ? answer["message"] : nlohmann::json();
        auto bytes = from_base64(field(message, "data", std::string()));
        if (!bytes) return std::nullopt;
        return Sample{field(message, "subject", std::string()), *std::move(bytes)};
    } catch (const Error&) {
        return std::nullopt;
    }
}

/// Of an event on the way forward that only steps read: under another id it is a second trigger.
std::optional<Attack::Sample> Attack::with_forged_id() {
    for (int i = 0; i < kTries; ++i) {
        auto found = sample(true);
        if (!found) continue;
        const auto read = core::decode(found->bytes);
        const auto* event = std::get_if<core::Envelope>(&read);
        if (event == nullptr || event->kind != Kind::done) continue;
        const std::string reaction = "\"" + std::string(event->type) + "\"";
        const auto reacts = [&](const Member& member) {
            const auto contract = nlohmann::json::parse(member.contract, nullptr, false);
            return list(contract, "reactions").dump().find(reaction) != std::string::npos;
        };
        if (std::any_of(stage_.members().begin(), stage_.members().end(), reacts)) continue;
        const Bytes id = std::as_bytes(std::span(event->id.bytes));
        const auto at = std::search(found->bytes.begin(), found->bytes.end(), id.begin(), id.end());
        if (at == found->bytes.end()) continue;
        const Bin other = noise(4);
        std::copy(other.begin(), other.end(), at + 12);
        return found;
    }
    return std::nullopt;
}

bool Attack::junk() {
    for (int i = 0; i < kTries; ++i)
        if (const auto known = sample(false)) return publish(known->subject, noise(kNoise));
    return false;
}

std::size_t Attack::send() {
    std::size_t stored = 0;
    const auto known = sample(false), old = sample(true);
    if (!known || !old) return 0;
    const std::string& subject = known->subject;
    Bin half(known->bytes.begin(), known->bytes.begin() + std::ptrdiff_t(known->bytes.size() / 2));
    for (const Bin& bytes : {noise(kNoise), Bin{}, nested(kNested), half, noise(kOversize)})
        stored += publish(subject, bytes);
    stored += publish("saga.stranger.done.Nothing.p00", known->bytes);  // not who it says
    stored += publish("saga.x", noise(kNoise));
    if (const auto forged = with_forged_id()) stored += publish(forged->subject, forged->bytes);
    try {  // what a broker delivers twice, long after
        stage_.client().request(old->subject, old->bytes, kRequest);
        for (const Member* member : stage_.services())
            for (const std::string_view verb : {"state", "dead", "retry", "nothing"})
                stage_.client().request(core::request_subject(member->name(), verb), noise(kNoise),
                                        kRequest / 4);
    } catch (const Error&) {
        return stored;  // whoever does not answer is down, or takes it for no question
    }
    return stored;
}

}  // namespace saga::cli
