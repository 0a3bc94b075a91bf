#include "saga/cli/history.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "saga/bus/jetstream.hpp"
#include "saga/cli/observer.hpp"
#include "saga/cli/words.hpp"
#include "saga/core/subject.hpp"
#include "saga/core/text.hpp"
#include "saga/runtime/stream_view.hpp"

namespace saga::cli {
namespace {

constexpr int kHoles = 16;  // missing messages that are stepped over while searching

/// The time at which the message at `seq`, or one of the next that is there, was stored.
std::optional<StoreTime> stored_at(bus::NatsClient& client, std::uint64_t seq,
                                   std::chrono::milliseconds timeout) {
    for (int i = 0; i < kHoles; ++i) {
        const nlohmann::json ask{{"seq", seq + static_cast<std::uint64_t>(i)}};
        const auto answer = api_or_null(client, "$JS.API.STREAM.MSG.GET.SAGA", ask.dump(), timeout);
        if (answer.is_null()) continue;
        const auto read = bus::read_message(answer.dump());
        if (const auto* message = std::get_if<bus::StoredMessage>(&read)) return message->stored_at;
    }
    return std::nullopt;
}

/// With the saga as last token or without it: no filter takes both and nothing else.
std::vector<bus::StoredMessage> events_in_stream(const Options& options, const std::string& saga) {
    std::vector<bus::StoredMessage> found;
    const std::string partition = fmt::format("saga.*.*.*.{}", core::partition_token(saga));
    for (const std::string& filter : {partition, fmt::format("{}.{}", partition, saga)}) {
        runtime::StreamView view(options.reach());
        view.read({.filter = filter, .timeout = options.timeout},
                  [&](const core::Message& message) {
                      if (message.envelope().saga == saga)
                          found.push_back({{},
                                           {message.bytes().begin(), message.bytes().end()},
                                           message.seq(),
                                           message.stored_at()});
                      return true;
                  });
    }
    std::sort(found.begin(), found.end(),
              [](const auto& a, const auto& b) { return a.seq < b.seq; });
    return found;
}

}  // namespace

void read_saga(const Options& options, bus::NatsClient& client, const std::string& saga,
               const StreamState& head,
               const std::function<void(const core::Message&)>& on_message) {
    auto found = Observer(client, options.timeout).events(saga, head);
    if (!found) found = events_in_stream(options, saga);
    for (const bus::StoredMessage& each : *found) {
        const auto read = core::decode(each.bytes);
        if (const auto* envelope = std::get_if<core::Envelope>(&read))
            on_message({each.bytes, *envelope, each.seq, each.stored_at});
    }
}

StreamState stream_state(bus::NatsClient& client, std::chrono::milliseconds timeout) {
    const auto info = api_or_null(client, "$JS.API.STREAM.INFO.SAGA", "", timeout);
    if (info.is_null())
        throw Stop(kError, "there is no stream SAGA on this broker: make it with saga bootstrap");
    const auto read = bus::read_stream_info(info.dump());
    const auto* found = std::get_if<bus::StreamInfo>(&read);
    if (found == nullptr) throw Stop(kError, "the broker's answer about the stream cannot be read");
    return {.first_seq = found->state.first_seq,
            .last_seq = found->state.last_seq,
            .messages = info["state"].value("messages", std::uint64_t{0}),
            .created = found->state.created};
}

std::uint64_t first_since(bus::NatsClient& client, Time time, std::chrono::milliseconds timeout) {
    const StreamState state = stream_state(client, timeout);
    std::uint64_t low = state.first_seq, high = state.last_seq + 1;
    while (low < high) {
        const std::uint64_t middle = low + (high - low) / 2;
        const auto stored = stored_at(client, middle, timeout);
        if (stored && *stored < time)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void require_saga_id(const std::string& id) {
    if (!core::is_saga_id(id))
        throw Stop(kUsage, fmt::format("\"{}\" is no saga id: one is 1 to 64 of A-Z a-z 0-9 _ -",
                                       harmless(id)));
}

}  // namespace saga::cli
