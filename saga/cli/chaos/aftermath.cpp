#include "saga/cli/chaos/aftermath.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "saga/bus/jetstream.hpp"
#include "saga/cli/buckets.hpp"
#include "saga/cli/history.hpp"
#include "saga/cli/words.hpp"
#include "saga/store/statement.hpp"
#include "saga/view/base64.hpp"

namespace saga::cli {
namespace {

using namespace std::chrono_literals;

constexpr auto kRequest = 5'000ms;
constexpr auto kCheck = 180s;  // until the user's own check must have ended

/// Why it is not at rest; empty when it is.
std::string restless(const std::optional<ServiceState>& state) {
    if (!state) return "does not answer";
    if (!state->ready) return "is not ready: " + state->trouble;
    if (state->lag > 0) return fmt::format("has {} events to read", state->lag);
    if (state->unsettled > 0) return fmt::format("has {} events unsettled", state->unsettled);
    if (state->dead > 0) return fmt::format("has {} dead letters that hold sagas up", state->dead);
    if (state->calls > 0) return fmt::format("has {} open calls", state->calls);
    if (state->parked > 0) return fmt::format("has {} events parked", state->parked);
    return {};
}

/// What one service, or several, know of a saga.
struct Course {
    bool ended = false, failed = false;
};
using Courses = std::map<std::string, Course>;

using Sqlite = std::unique_ptr<sqlite3, int (*)(sqlite3*)>;

Sqlite open_read_only(const std::filesystem::path& file) {
    sqlite3* raw = nullptr;
    const int code = sqlite3_open_v2(file.c_str(), &raw, SQLITE_OPEN_READONLY, nullptr);
    Sqlite db(raw, &sqlite3_close);
    if (code != SQLITE_OK) throw Error(fmt::format("cannot open {}", file.string()));
    return db;
}

void read_sagas(sqlite3* db, Courses& courses) {
    store::Statement statement(db, "SELECT id, ended_by, failed_by FROM sagas");
    store::Rows rows = statement.query();
    while (rows.next()) {
        Course& course = courses[std::string(rows.text(0))];
        course.ended = course.ended || !rows.text(1).empty();
        course.failed = course.failed || !rows.text(2).empty();
    }
}

/// Message by message, so that what is no event comes as it is.
std::vector<verify::Stored> read_stream(bus::NatsClient& client) {
    std::vector<verify::Stored> stream;
    const StreamState state = stream_state(client, kRequest);
    for (std::uint64_t seq = state.first_seq; seq <= state.last_seq; ++seq) {
        const auto answer = api_or_null(client, "$JS.API.STREAM.MSG.GET.SAGA",
                                        nlohmann::json{{"seq", seq}}.dump(), kRequest);
        if (answer.is_null()) continue;  // it was deleted
        const auto& message = answer.at("message");
        const auto stored_at = bus::parse_time(field(message, "time", std::string()));
        if (!stored_at) throw Error(fmt::format("the message {} has no time", seq));
        stream.push_back({.seq = seq,
                          .subject = field(message, "subject", std::string()),
                          .stored_at = *stored_at,
                          .bytes = from_base64(field(message, "data", std::string()))
                                       .value_or(std::vector<std::byte>{})});
    }
    return stream;
}

verify::Told told_of(Answered answer) {
    if (answer == Answered::ok) return verify::Told::accepted;
    return answer == Answered::fail ? verify::Told::refused : verify::Told::unknown;
}

/// Of a load that does not say which commands it sends, what can be said all the same.
void look_at_answers(const Told& told, const Courses& courses, Tally& tally) {
    for (const auto& [key, asked] : told.all()) {
        const auto course = courses.find(key);
        if (asked.answer == Answered::ok && course == courses.end())
            tally.violations.push_back(fmt::format("{} was accepted, and nobody knows it", key));
        else if (asked.answer == Answered::ok && !course->second.ended)
            tally.violations.push_back(fmt::format("{} was accepted, and has not ended", key));
        else if (asked.answer == Answered::fail && course != courses.end())
            tally.violations.push_back(fmt::format("{} was refused, and has begun", key));
    }
}

}  // namespace

void await_rest(Stage& stage, Tally& tally, Duration bound) {
    std::map<std::string, std::string> why;
    const bool rests = stage.until(bound, [&] {
        why.clear();
        for (const Member* member : stage.services())
            if (std::string reason = restless(stage.state(*member)); !reason.empty())
                why[member->name()] = std::move(reason);
        return why.empty();
    });
    if (rests) return;
    for (const auto& [service, reason] : why)
        tally.violations.push_back(
            fmt::format("{} after the faults {} {}", brief(bound), service, reason));
}

void ask_check(Stage& stage, Tally& tally) {
    const std::vector<std::string>& command = stage.plan().trial.check;
    if (command.empty()) return;
    const Outcome outcome = stage.run("check", stage.launch(command, stage.url()), kCheck);
    if (outcome.ok()) return;
    std::string_view text = outcome.said;
    while (text.ends_with('\n')) text.remove_suffix(1);
    const auto begin = text.rfind('\n');
    tally.violations.push_back(
        fmt::format("the check {}: {}",
                    outcome.status ? "ended with " + ending(*outcome.status) : "does not end",
                    harmless(begin == std::string_view::npos ? text : text.substr(begin + 1))));
}

void look_into_databases(Stage& stage, Tally& tally, const Told& told) {
    for (Member& member : stage.members())
        if (!stage.stop(member))
            tally.violations.push_back(member.name() + " does not stop when it is asked to");
    Courses courses;
    std::vector<Sqlite> databases;
    verify::Landscape landscape;
    for (const Member* member : stage.services()) {
        databases.push_back(open_read_only(member->data / (member->name() + ".db")));
        read_sagas(databases.back().get(), courses);
        landscape.services.push_back({member->name(), databases.back().get(),
                                      nlohmann::json::parse(member->contract, nullptr, false)});
    }
    for (const auto& [saga, course] : courses)
        ++tally.sagas[!course.ended ? "open" : course.failed ? "undone" : "completed"];
    look_at_answers(told, courses, tally);
    for (const auto& [key, asked] : told.all())
        if (!asked.service.empty() && !asked.command.empty())
            landscape.answers.push_back({asked.service, asked.command, key, told_of(asked.answer)});
    landscape.stream = read_stream(stage.client());
    for (const verify::Violation& each : verify::check(landscape, {.unordered = tally.restored}))
        tally.violations.push_back(
            fmt::format("{} {} {}: {}", each.invariant, each.service, each.saga, each.what));
}

}  // namespace saga::cli
