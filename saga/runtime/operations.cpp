#include "saga/runtime/operations.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cstring>
#include <nlohmann/json.hpp>

#include "engine_generated.h"
#include "saga/core/limits.hpp"
#include "saga/core/text.hpp"
#include "saga/runtime/worker.hpp"

namespace saga::runtime {
namespace {

using nlohmann::ordered_json;

constexpr std::array<std::string_view, 7> kWhat{"",     "event", "step", "reaction",
                                                "undo", "timer", "call"};
constexpr std::array<std::string_view, 8> kStates{"",       "retry",  "later", "locked",
                                                  "unlike", "behind", "dead",  "dropped"};
constexpr std::string_view kAside = "aside-";

std::string dump(const ordered_json& json) {
    return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

std::optional<core::Operation> operation_of(std::string_view name) {
    if (name == "retry") return core::Operation::retry;
    if (name == "skip") return core::Operation::skip;
    if (name == "drop") return core::Operation::drop;
    return std::nullopt;
}

std::string_view text(Bytes body) {
    return {reinterpret_cast<const char*>(body.data()), body.size()};
}

std::string word(const ordered_json& json, const char* name) {
    const auto field = json.find(name);
    return field != json.end() && field->is_string() ? field->get<std::string>() : "";
}

/// A dead letter, by the id under which `dead` lists it: "17", "aside-17", or the number.
struct Named {
    std::int64_t position = 0;  // 0: none
    bool aside = false;
};
Named named(std::string_view id) {
    Named named{.aside = id.starts_with(kAside)};
    if (named.aside) id.remove_prefix(kAside.size());
    const auto [read, error] = std::from_chars(id.data(), id.data() + id.size(), named.position);
    if (error != std::errc{} || read != id.data() + id.size()) named.position = 0;
    return named;
}
Named named(const ordered_json& json, const char* name) {
    const auto field = json.find(name);
    if (field != json.end() && field->is_number_integer()) return named(field->dump());
    return named(word(json, name));
}

/// A body: {"id": "17", "reason": "..."}, or the bare id; in place of the id, a saga.
struct Asked : Named {
    std::string saga, reason;
};
Asked asked(std::string_view body) {
    const auto json = ordered_json::parse(body, nullptr, false);
    if (!json.is_object()) return {named(body), "", ""};
    return {named(json, "id"), word(json, "saga"), word(json, "reason")};
}

EventId subject_of(const core::ParkedRow& row) {
    return row.event ? row.event : row.run;
}

struct Word {
    std::string_view action, what;
    EventId id;
    std::string_view step, reason;
    std::int64_t position = 0;
    std::optional<std::uint32_t> nth = {};
};

detail::Emitted emitted(const Word& word) {
    static const detail::EventType type{kOperatorActed, "wire", "OperatorActed", {}, {}};
    flatbuffers::FlatBufferBuilder builder;
    const auto string = [&](std::string_view s) {
        return builder.CreateString(s.data(), s.size());
    };
    const auto action_at = string(word.action), what_at = string(word.what),
               step_at = string(word.step),
               reason_at = string(core::clipped(word.reason, core::kMaxReason));
    const auto id_at = builder.CreateVector(word.id.bytes.data(), word.id.bytes.size());
    wire::OperatorActedBuilder table(builder);
    table.add_action(action_at);
    table.add_what(what_at);
    table.add_event_id(id_at);
    table.add_step(step_at);
    table.add_position(static_cast<std::uint64_t>(word.position));
    table.add_reason(reason_at);
    if (word.nth) table.add_nth(*word.nth);
    builder.Finish(table.Finish());
    const auto* begin = reinterpret_cast<const std::byte*>(builder.GetBufferPointer());
    return {&type, {begin, begin + builder.GetSize()}};
}

detail::Emitted word_about(const core::ParkedRow& row, std::string_view action,
                           std::string_view reason) {
    Word word{.action = action,
              .what = name_of(row.what),
              .id = subject_of(row),
              .step = row.step,
              .reason = reason,
              .position = row.position};
    if (row.what == core::Waits::timer) word.nth = row.nth;
    return emitted(word);
}

/// Those of a call stand in its own row: what is parked of it never ran by itself.
int attempts_of(store::Store& store, const store::Parked::Seen& seen) {
    const core::ParkedRow& row = seen.row;
    if (row.what != core::Waits::call) return row.attempts;
    const auto call = store.calls.find(store.sagas.find(seen.saga).key, row.step, row.run,
                                       static_cast<core::Part>(row.nth));
    return call ? call->attempts : row.attempts;
}

ordered_json json_of(store::Store& store, const store::Parked::Seen& seen) {
    const core::ParkedRow& row = seen.row;
    ordered_json json{{"id", std::to_string(row.position)},
                      {"saga", seen.saga},
                      {"what", name_of(row.what)},
                      {"step", row.step},
                      {"event", seen.type},
                      {"event_id", row.event ? row.event.text() : ""},
                      {"state", kStates.at(static_cast<std::size_t>(row.state))},
                      {"attempts", attempts_of(store, seen)},
                      {"blocks", row.blocks()},
                      {"reason", seen.reason}};
    if (seen.next_at) json["next_at"] = core::rfc3339(*seen.next_at);
    return json;
}

ordered_json json_of(const store::Aside::Row& row) {
    return {{"id", std::string(kAside) + std::to_string(row.position)},
            {"saga", row.saga_id},
            {"what", "aside"},
            {"step", row.step},
            {"subject", row.subject},
            {"event_id", row.event_id ? row.event_id.text() : ""},
            {"state", "dead"},
            {"blocks", false},
            {"stream_seq", row.stream_seq},
            {"reason", row.reason}};
}

/// A call that is open: it asks again by itself.
ordered_json json_of(const store::Calls::Seen& seen, const std::string& saga_id) {
    ordered_json json{{"id", fmt::format("call-{}", seen.row.call)},
                      {"saga", saga_id},
                      {"what", "call"},
                      {"step", seen.row.step},
                      {"state", "open"},
                      {"attempts", seen.row.attempts},
                      {"blocks", false},
                      {"reason", seen.reason}};
    if (seen.next_at) json["next_at"] = core::rfc3339(*seen.next_at);
    return json;
}

std::string base64(Bytes bytes) {
    std::string text(sodium_base64_encoded_len(bytes.size(), sodium_base64_VARIANT_ORIGINAL), '\0');
    sodium_bin2base64(text.data(), text.size(),
                      reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
                      sodium_base64_VARIANT_ORIGINAL);
    text.pop_back();  // the terminating zero
    return text;
}

}  // namespace

std::string_view name_of(core::Waits what) {
    return kWhat.at(static_cast<std::size_t>(what));
}

std::string refused(std::string_view code, std::string_view why) {
    return dump({{"refused", {{"code", code}, {"why", why}}}});
}

std::optional<Operated> read_operation(Bytes payload) {
    const std::vector<std::byte> aligned(payload.begin(), payload.end());
    const auto* data = reinterpret_cast<const std::uint8_t*>(aligned.data());
    flatbuffers::Verifier verifier(data, aligned.size(), detail::kMaxTableDepth,
                                   detail::kMaxTables);
    if (aligned.size() < sizeof(flatbuffers::uoffset_t) ||
        !verifier.VerifyBuffer<wire::OperatorActed>(nullptr))
        return std::nullopt;
    const auto& table = *flatbuffers::GetRoot<wire::OperatorActed>(data);
    const auto operation = operation_of(table.action()->string_view());
    Operated word{.what = table.what()->str(),
                  .position = static_cast<std::int64_t>(table.position())};
    if (!operation || table.event_id()->size() != word.event_id.bytes.size()) return std::nullopt;
    word.operation = *operation;
    if (const auto nth = table.nth()) word.nth = *nth;
    if (table.step() != nullptr) word.step = table.step()->str();
    std::memcpy(word.event_id.bytes.data(), table.event_id()->data(), word.event_id.bytes.size());
    return word;
}

bool concerns(const Operated& word, const core::ParkedRow& row) {
    return word.what == name_of(row.what) && word.step == row.step &&
           word.event_id == subject_of(row) && (!word.nth || *word.nth == row.nth);
}

UndoAsked read_undo(Bytes body) {
    Asked what = asked(text(body));
    return {std::move(what.saga), std::move(what.reason)};
}

std::optional<std::string> saga_named(Bytes body) {
    Asked what = asked(text(body));
    const bool by_id = what.position != 0;
    return by_id || what.saga.empty() ? std::nullopt : std::optional(std::move(what.saga));
}

detail::Emitted undo_word(std::string_view command, const EventId& asked, std::string_view reason) {
    return emitted(
        {.action = "undo", .what = "saga", .id = asked, .step = command, .reason = reason});
}

namespace {

std::string operate_on_saga(store::Store& store, Executor& executor, const Request& request,
                            const Asked& what, core::SagaState& state, Time now) {
    state = store.load(what.saga);
    ordered_json letters = ordered_json::array();
    EventId last;
    executor.begin(state, {}, now);
    for (const core::ParkedRow& row : state.parked) {
        if (row.state != core::Parking::dead || letters.size() == core::kMaxListed) continue;
        last = executor.publish_operation(state.row.id, word_about(row, request.verb, what.reason));
        letters.push_back(std::to_string(row.position));
    }
    if (letters.empty()) return refused("unknown", "nothing of that saga is dead here");
    return dump({{"accepted",
                  {{"saga", state.row.id},
                   {"event", "OperatorActed"},
                   {"id", last.text()},
                   {"letters", std::move(letters)}}}});
}

}  // namespace

std::string operate(store::Store& store, Executor& executor, const core::Shard& shard,
                    const Request& request, core::SagaState& state, Time now) {
    const Asked what = asked(text(request.body));
    if (what.position == 0 && core::is_saga_id(what.saga) && operation_of(request.verb))
        return operate_on_saga(store, executor, request, what, state, now);
    constexpr auto kUnknown =
        "name a dead letter by its id, as `dlq ls` shows it: {\"id\": \"17\"}, or a saga";
    if (!operation_of(request.verb) || what.position <= 0) return refused("invalid", kUnknown);
    detail::Emitted word;
    if (what.aside) {
        const auto row = store.aside.find(what.position);
        if (!row) return refused("unknown", kUnknown);
        const bool known = !row->saga_id.empty() && shard.takes(row->saga_id);
        state = store.load(known ? row->saga_id : shard.own_unknown());
        word = emitted({.action = request.verb,
                        .what = "aside",
                        .id = row->event_id,
                        .step = row->step,
                        .reason = what.reason,
                        .position = what.position});
    } else {
        const auto [saga, row] = store.parked.find(what.position);
        if (saga == 0) return refused("unknown", kUnknown);
        state = store.load(saga);
        word = word_about(row, request.verb, what.reason);
    }
    if (state.row.key == 0) state.row.started = now;
    executor.begin(state, {}, now);
    const EventId id = executor.publish_operation(state.row.id, word);
    return dump(
        {{"accepted", {{"saga", state.row.id}, {"event", "OperatorActed"}, {"id", id.text()}}}});
}

std::string list_dead(store::Store& store, const std::string& name, std::string_view body) {
    auto json = ordered_json::parse(body, nullptr, false);
    if (!json.is_object()) json = ordered_json::object();
    const Named after = named(json, "after");
    const std::string saga_id = word(json, "saga");
    const std::int64_t saga = saga_id.empty() ? 0 : store.sagas.find(saga_id).key;
    const bool known = saga_id.empty() || saga != 0;
    const bool all = json.contains("all") && json["all"] == true;
    ordered_json list = ordered_json::array();
    if (known && !after.aside)
        for (const auto& seen : store.parked.list(
                 {.dead_only = !all, .saga = saga, .after = after.position}, core::kMaxListed))
            list.push_back(json_of(store, seen));
    for (const auto& row : store.aside.list(after.aside ? after.position : 0, saga_id,
                                            core::kMaxListed - list.size()))
        list.push_back(json_of(row));
    if (saga != 0 && after.position == 0)
        for (const auto& seen : store.calls.of(saga))
            if (seen.next_at) list.push_back(json_of(seen, saga_id));
    for (ordered_json& row : list) row["service"] = name;
    return dump(list);
}

std::string list_outbox(store::Outbox& outbox, const core::Position& read, std::string_view body) {
    const auto json = ordered_json::parse(body, nullptr, false);
    const bool paged = json.is_object() && json.contains("after") && json["after"].is_number();
    ordered_json rows = ordered_json::array();
    for (const store::Outbox::Seen& seen :
         outbox.list(paged ? json["after"].get<std::int64_t>() : 0, core::kMaxOutboxListed)) {
        ordered_json row{{"seq", seen.seq},
                         {"id", seen.id.text()},
                         {"saga", seen.saga},
                         {"subject", seen.subject}};
        if (seen.stream_seq) row["stream_seq"] = *seen.stream_seq;
        rows.push_back(std::move(row));
    }
    return dump({{"cursor", read.seq},
                 {"stream_created_ns", read.created.time_since_epoch().count()},
                 {"next_seq", outbox.next_seq()},
                 {"rows", std::move(rows)}});
}

std::string show_dead(store::Store& store, const std::string& name, std::string_view body) {
    const Asked what = asked(body);
    const auto shown = [&](ordered_json json, Bytes message) {
        json["service"] = name;
        json["message_bytes"] = message.size();
        if (message.size() <= core::kMaxMessage) json["message"] = base64(message);
        return dump(json);
    };
    if (what.aside) {
        if (const auto row = store.aside.find(what.position))
            return shown(json_of(*row), row->message);
    } else if (const auto seen = store.parked.seen(what.position)) {
        return shown(json_of(store, *seen), store.parked.event(what.position).envelope);
    }
    return refused("unknown", "there is no dead letter of that id");
}

}  // namespace saga::runtime
