#include "saga/cli/observer.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "saga/core/limits.hpp"
#include "saga/core/subject.hpp"
#include "saga/view/base64.hpp"
#include "saga/view/json.hpp"
#include "saga/view/observed.hpp"

namespace saga::cli {
namespace {

using nlohmann::json;

constexpr std::chrono::milliseconds kPatience{1'000};  // then the stream is read instead

json question(const StreamState& head) {
    return {{"head", head.last_seq}, {"created", head.created.time_since_epoch().count()}};
}

std::optional<bus::StoredMessage> event_of(const json& row) {
    const auto bytes = from_base64(field<std::string>(row, "bytes", ""));
    if (!bytes) return std::nullopt;
    const std::chrono::nanoseconds stored(field(row, "stored_at", std::int64_t{0}));
    return bus::StoredMessage{{}, *bytes, field(row, "seq", std::uint64_t{0}), StoreTime(stored)};
}

}  // namespace

Observer::Observer(bus::NatsClient& client, std::chrono::milliseconds timeout)
    : client_(client), timeout_(std::min(timeout, kPatience)) {}

/// Null where there is no answer, or a refusal.
json Observer::ask(std::string_view verb, const json& body) const {
    try {
        const std::string answer =
            client_.request_text(core::request_subject(kObserver, verb), body.dump(), timeout_);
        json read = read_json(answer);
        if (read.is_object() && !read.contains("refused")) return read;
    } catch (const bus::NoAnswer&) {
        // Nobody observes.
    }
    return nullptr;
}

std::optional<std::vector<bus::StoredMessage>> Observer::events(const std::string& saga,
                                                                const StreamState& head) const {
    std::vector<bus::StoredMessage> found;
    json body = question(head);
    body["saga"] = saga;
    while (true) {  // page after page: each begins behind the one before
        const json answer = ask("events", body);
        if (answer.is_null()) return std::nullopt;
        const std::size_t before = found.size();
        for (const json& row : view::list(answer, "events")) {
            auto event = event_of(row);
            if (!event || (!found.empty() && event->seq <= found.back().seq)) return std::nullopt;
            found.push_back(std::move(*event));
        }
        if (found.empty()) return std::nullopt;
        if (!field(answer, "more", false) || found.size() == before) return found;
        body["after"] = found.back().seq;
    }
}

std::optional<Listing> Observer::list(const Wanted& wanted, const StreamState& head) const {
    json body = question(head);
    body["since"] = core::rfc3339(wanted.since);
    body["status"] = wanted.status;
    std::optional<Listing> all;
    while (true) {  // page after page, each with older ones
        const std::size_t have = all ? all->sagas.size() : 0;
        body["limit"] =
            wanted.limit == 0 ? core::kMaxListed : std::min(core::kMaxListed, wanted.limit - have);
        auto page = listing_of(ask("ls", body));
        if (!page) return std::nullopt;
        const std::size_t got = page->sagas.size();
        if (all)
            std::move(page->sagas.begin(), page->sagas.end(), std::back_inserter(all->sagas));
        else
            all = std::move(page);
        const bool enough = wanted.limit != 0 && all->sagas.size() >= wanted.limit;
        if (enough || got < body["limit"]) return all;
        body["before"] = core::rfc3339(all->sagas.back().started);
        body["before_seq"] = all->sagas.back().last_seq;
    }
}

}  // namespace saga::cli
