#include "saga/view/listing.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "saga/bus/jetstream.hpp"
#include "saga/core/subject.hpp"
#include "saga/core/text.hpp"
#include "saga/view/json.hpp"

namespace saga::view {
namespace {

constexpr std::array kCourses{Course::running, Course::completed,   Course::undoing,
                              Course::undone,  Course::undo_failed, Course::stuck};

std::optional<Course> course_of(std::string_view name) {
    for (const Course course : kCourses)
        if (name_of(course) == name) return course;
    return std::nullopt;
}

std::string text(const nlohmann::json& json, const char* key) {
    return field<std::string>(json, key, "");
}

std::optional<Time> time(const nlohmann::json& json, const char* key) {
    const auto read = bus::parse_time(text(json, key));
    if (!read) return std::nullopt;
    return std::chrono::floor<std::chrono::microseconds>(*read);
}

std::optional<Standing> standing_of(const nlohmann::json& json) {
    const auto course = course_of(text(json, "state"));
    const auto kind = core::kind_of(text(json, "last_kind"));
    const auto started = time(json, "started");
    if (!course || !kind || !started || !core::is_saga_id(text(json, "saga"))) return std::nullopt;
    const std::chrono::microseconds took(field(json, "duration_us", std::int64_t{0}));
    return Standing{.saga = text(json, "saga"),
                    .course = *course,
                    .started = *started,
                    .last = *started + took,
                    .events = field(json, "events", std::uint64_t{0}),
                    .last_seq = field(json, "last_seq", std::uint64_t{0}),
                    .last_event = text(json, "last_event"),
                    .last_because = text(json, "last_because"),
                    .last_kind = *kind,
                    .failed_by = text(json, "failed_by"),
                    .waits_for = text(json, "waits_for")};
}

}  // namespace

bool is_status(std::string_view status) {
    return status == "failed" || (status != name_of(Course::undo_failed) && course_of(status));
}

bool Wanted::takes(Course course) const {
    if (status.empty()) return true;
    if (status == "failed") return course == Course::undo_failed;
    return status == name_of(course);
}

void Listing::sort() {
    std::sort(sagas.begin(), sagas.end(), [](const Standing& a, const Standing& b) {
        return std::pair(a.started, a.last_seq) > std::pair(b.started, b.last_seq);
    });
}

nlohmann::ordered_json json_of(const Listing& listing) {
    nlohmann::ordered_json json{{"sagas", nlohmann::ordered_json::array()},
                                {"counts", nlohmann::ordered_json::object()},
                                {"matching", listing.matching},
                                {"silent", listing.silent}};
    for (const Standing& each : listing.sagas) {
        auto row = json_of(each);
        if (!each.waits_for.empty()) row["waits_since"] = core::rfc3339(each.waits_since);
        row["last_kind"] = core::name_of(each.last_kind);
        row["last_because"] = each.last_because;
        row["last_seq"] = each.last_seq;
        json["sagas"].push_back(std::move(row));
    }
    for (const auto& [course, count] : listing.counts)
        json["counts"][std::string(name_of(course))] = count;
    return json;
}

std::optional<Listing> listing_of(const nlohmann::json& json) {
    if (!json.is_object() || !json.contains("sagas") || !json.contains("counts"))
        return std::nullopt;
    Listing listing{.matching = field(json, "matching", std::size_t{0})};
    for (const nlohmann::json& row : list(json, "sagas")) {
        auto standing = standing_of(row);
        if (!standing) return std::nullopt;
        listing.sagas.push_back(std::move(*standing));
    }
    for (const Course course : kCourses) {
        const auto count =
            field(json["counts"], std::string(name_of(course)).c_str(), std::size_t{0});
        if (count > 0) listing.counts[course] = count;
    }
    for (const nlohmann::json& each : list(json, "silent"))
        if (each.is_string()) listing.silent.push_back(each);
    return listing;
}

}  // namespace saga::view
