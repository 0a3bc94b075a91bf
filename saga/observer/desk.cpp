#include "saga/observer/desk.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "saga/bus/jetstream.hpp"
#include "saga/core/limits.hpp"
#include "saga/core/subject.hpp"
#include "saga/core/text.hpp"
#include "saga/observer/limits.hpp"
#include "saga/runtime/operations.hpp"
#include "saga/view/base64.hpp"
#include "saga/view/json.hpp"
#include "saga/view/observed.hpp"
#include "saga/view/shards.hpp"

namespace saga::observer {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;
using view::field;

constexpr std::chrono::seconds kUsual{3'600};  // of `ls`, as the tool's

/// A question's JSON; a text that is none is a saga's id, for people: `nats req ... trace o-1001`.
json question_of(std::string_view body) {
    if (body.empty()) return json::object();
    auto read = view::read_json(body);
    return read.is_object() ? read : json{{"saga", body}};
}

std::uintmax_t size_of(const std::string& path) {
    std::error_code none;
    const auto size = std::filesystem::file_size(path, none);
    return none ? 0 : size;
}

std::optional<Time> time_of(const json& question, const char* key) {
    const auto read = bus::parse_time(field<std::string>(question, key, ""));
    if (!read) return std::nullopt;
    return std::chrono::floor<std::chrono::microseconds>(*read);
}

}  // namespace

/// What was not answered, and why, as services say it.
struct Desk::Refusal {
    std::string code, why;
};

Desk::Desk(Watched& watched, Contracts& contracts, bus::NatsClient& client, runtime::Clock& clock,
           Self self)
    : watched_(watched),
      contracts_(contracts),
      client_(client),
      clock_(clock),
      self_(std::move(self)) {}

std::string Desk::answer(std::string_view verb, std::string_view body) {
    std::string text = answer_or_refuse(verb, body);
    Asked& asked = asked_[std::string(verb)];
    ++asked.requests;
    if (!text.starts_with("{\"refused\"")) return text;
    ++asked.errors;
    asked.last_error = text;
    return text;
}

std::string Desk::answer_or_refuse(std::string_view verb, std::string_view body) {
    try {
        if (verb == "state") return state();
        const json question = question_of(body);
        std::string text = verb == "trace"    ? trace(question, true)
                           : verb == "show"   ? trace(question, false)
                           : verb == "events" ? events(question)
                                              : list(question);
        if (text.size() <= core::kMaxAnswer) return text;
        throw Refusal{"too_large", fmt::format("the answer has {} bytes, and {} is the most",
                                               text.size(), core::kMaxAnswer)};
    } catch (const Refusal& refusal) {
        return runtime::refused(refusal.code, refusal.why);
    } catch (const std::exception& failure) {  // others wait for the answer behind this one
        return runtime::refused("failed", failure.what());
    }
}

std::unique_lock<std::mutex> Desk::wait_for(const json& question) {
    const std::chrono::nanoseconds created(field(question, "created", std::int64_t{0}));
    const bool named = question.contains("head");
    const auto head = field(question, "head", std::uint64_t{0});
    std::unique_lock lock(watched_.mutex);
    const bool there = watched_.moved.wait_for(lock, kPatience, [&] {
        const Index::Position& at = watched_.index.position();
        const bool same = created.count() == 0 || at.created.time_since_epoch() == created;
        return watched_.reading && (named ? same && at.seq >= head : watched_.level);
    });
    if (!there)
        throw Refusal{"behind", fmt::format("it has read the stream up to {}: ask again",
                                            watched_.index.position().seq)};
    return lock;
}

std::shared_ptr<const view::Landscape> Desk::landscape() {
    contracts_.look();
    return contracts_.landscape();
}

/// Of the services that published a contract, with their shards.
std::vector<std::string> Desk::instances(const view::Landscape& landscape) {
    const view::Shards shards(view::Bucket(
        [this](const std::string& subject, const std::string& body) {
            return view::ask_api(client_, subject, body, kPatience);
        },
        core::kOwners));
    std::vector<std::string> all;
    for (const auto& [service, contract] : landscape.services())
        for (std::string& instance : shards.instances_of(service))
            all.push_back(std::move(instance));
    return all;
}

/// Nothing of one that does not answer, or with what is no list.
std::optional<std::vector<view::Letter>> Desk::letters(const std::string& service,
                                                       const std::string& saga) {
    return view::read_letters(
        service, true, saga, [&](const json& body) -> std::optional<ordered_json> {
            try {
                auto read = view::read_json<ordered_json>(client_.request_text(
                    core::request_subject(service, "dead"), body.dump(), kPatience));
                return read.is_array() ? std::optional(std::move(read)) : std::nullopt;
            } catch (const bus::NoAnswer&) {
                return std::nullopt;
            }
        });
}

std::string Desk::saga_of(const json& question) {
    auto saga = field<std::string>(question, "saga", "");
    if (core::is_saga_id(saga)) return saga;
    throw Refusal{"malformed", "a saga id is 1 to 64 of A-Z a-z 0-9 _ -"};
}

std::string Desk::trace(const json& question, bool events) {
    view::Inquiry inquiry{.saga = saga_of(question)};
    inquiry.landscape = *landscape();
    inquiry.schemas.add(inquiry.landscape);
    bool whole = true;
    std::uint64_t count = 0;
    {
        const auto lock = wait_for(question);
        const auto standing = watched_.index.find(inquiry.saga);
        const Index::Events kept =
            watched_.index.events(inquiry.saga, 0, std::numeric_limits<std::size_t>::max());
        if (!standing || kept.events.empty())
            throw Refusal{"unknown", "no event of a saga " + inquiry.saga + " was read"};
        whole = kept.whole;
        count = standing->events;
        for (const bus::StoredMessage& each : kept.events)
            view::add(inquiry, {each.bytes, std::get<core::Envelope>(core::decode(each.bytes)),
                                each.seq, each.stored_at});
    }
    if (!whole)
        throw Refusal{"too_large", fmt::format("{} has {} events, more than are kept: `saga trace "
                                               "{}` reads the stream",
                                               inquiry.saga, count, inquiry.saga)};
    view::ask_services(inquiry,
                       [&](const std::string& service) { return letters(service, inquiry.saga); });
    return view::line(view::json_of(inquiry, clock_.now(), events));
}

/// As they were stored, for a reader that judges itself.
std::string Desk::events(const json& question) {
    const std::string saga = saga_of(question);
    const auto lock = wait_for(question);
    const Index::Events found =
        watched_.index.events(saga, field(question, "after", std::uint64_t{0}), kMaxAnswerEvents);
    if (!found.whole) throw Refusal{"too_large", saga + " has more events than are kept"};
    ordered_json answer{{"saga", saga}, {"more", found.more}, {"events", ordered_json::array()}};
    for (const bus::StoredMessage& each : found.events)
        answer["events"].push_back({{"seq", each.seq},
                                    {"stored_at", each.stored_at.time_since_epoch().count()},
                                    {"bytes", view::to_base64(each.bytes)}});
    return answer.dump();
}

std::string Desk::list(const json& question) {
    const Time now = clock_.now();
    view::Wanted wanted{.since = time_of(question, "since").value_or(now - kUsual),
                        .status = field<std::string>(question, "status", ""),
                        .limit = field(question, "limit", std::size_t{20})};
    if (!wanted.status.empty() && !view::is_status(wanted.status))
        throw Refusal{"malformed",
                      "a status is running, completed, undoing, undone, failed or "
                      "stuck"};
    if (wanted.since < now - std::chrono::floor<std::chrono::microseconds>(self_.keep))
        throw Refusal{"too_old", "what finished so long ago is not kept: see --keep"};
    wanted.limit = std::clamp<std::size_t>(wanted.limit, 1, core::kMaxListed);
    std::optional<Index::Older> older;
    if (const auto before = time_of(question, "before"))
        older = {*before, field(question, "before_seq", std::uint64_t{0})};

    const auto landscape = this->landscape();
    Letters waiting;
    std::vector<std::string> silent;
    const bool open = [&] {
        const auto lock = wait_for(question);
        return watched_.index.open() > 0;
    }();
    for (const std::string& instance : open ? instances(*landscape) : std::vector<std::string>{}) {
        const auto its = letters(instance, "");
        if (!its) silent.push_back(instance);
        for (const view::Letter& letter : its.value_or(std::vector<view::Letter>{}))
            waiting[letter.saga].push_back(letter);
    }
    const auto lock = wait_for(question);
    for (int step = 0; watched_.judge(landscape, kStep) == kStep; ++step)
        if (step == kSteps) throw Refusal{"behind", "many sagas are to be judged: ask again"};
    view::Listing listing = watched_.index.list(wanted, older, *landscape, waiting);
    listing.silent = std::move(silent);
    return view::line(view::json_of(listing));
}

std::string Desk::state() {
    std::uint64_t answered = 0, refused = 0;
    for (const std::string_view verb : kVerbs) {
        answered += asked_[std::string(verb)].requests;
        refused += asked_[std::string(verb)].errors;
    }
    const std::lock_guard lock(watched_.mutex);
    Index& index = watched_.index;
    return view::line({{"service", view::kObserver},
                       {"instance", self_.instance},
                       {"version", self_.version},
                       {"where", self_.where},
                       {"ready", watched_.level && watched_.settled},
                       {"trouble", watched_.trouble},
                       {"server", watched_.server},
                       {"cursor", index.position().seq},
                       {"lag", watched_.lag},
                       {"open", index.open()},
                       {"junk", index.junk()},
                       {"answered", answered - refused},
                       {"refusals", refused},
                       {"db_bytes", size_of(index.path())},
                       {"wal_bytes", size_of(index.path() + "-wal")}});
}

std::string Desk::discovery(std::string_view word) {
    ordered_json answer{{"name", view::kObserver},
                        {"id", self_.instance},
                        {"version", self_.version},
                        {"metadata", {{"saga.role", "observer"}}}};
    if (word == "PING") {
        answer["type"] = "io.nats.micro.v1.ping_response";
        return answer.dump();
    }
    const bool stats = word == "STATS";
    answer["type"] = stats ? "io.nats.micro.v1.stats_response" : "io.nats.micro.v1.info_response";
    if (stats)
        answer["started"] = core::rfc3339(self_.started);
    else
        answer["description"] = "reads the stream and tells how each saga stands";
    answer["endpoints"] = ordered_json::array();
    for (const std::string_view verb : kVerbs) {
        ordered_json each{{"name", verb},
                          {"subject", core::request_subject(view::kObserver, verb)},
                          {"queue_group", "q"}};
        if (stats) {
            const Asked& asked = asked_[std::string(verb)];
            each["num_requests"] = asked.requests;
            each["num_errors"] = asked.errors;
            each["last_error"] = asked.last_error;
            each["processing_time"] = 0;
            each["average_processing_time"] = 0;
        } else {
            each["metadata"] = nullptr;
        }
        answer["endpoints"].push_back(std::move(each));
    }
    return answer.dump();
}

}  // namespace saga::observer
