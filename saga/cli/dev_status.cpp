#include "saga/cli/dev_status.hpp"

#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "saga/cli/buckets.hpp"
#include "saga/core/subject.hpp"
#include "saga/view/message_json.hpp"

namespace saga::cli {
namespace {

constexpr std::string_view kVerb = "programs";
constexpr std::size_t kAtOnce = 8;  // questions that one answer is made for

}  // namespace

std::string to_json(const DevStatus& status) {
    auto programs = nlohmann::ordered_json::array();
    for (const DevProgram& each : status.programs)
        programs.push_back({{"name", each.name},
                            {"service", each.service},
                            {"running", each.running},
                            {"deaths", each.deaths},
                            {"ended", each.ended},
                            {"said", each.said}});
    return line({{"process", status.process},
                 {"data", status.data},
                 {"free_bytes", status.free_bytes},
                 {"programs", std::move(programs)}});
}

std::optional<DevStatus> read_dev_status(const std::string& text) {
    const auto json = read_json(text);
    if (!json.is_object() || !json.contains("programs")) return std::nullopt;
    DevStatus status{.process = field(json, "process", std::int64_t{0}),
                     .data = field<std::string>(json, "data", ""),
                     .free_bytes = field(json, "free_bytes", std::uint64_t{0}),
                     .programs = {}};
    for (const auto& each : list(json, "programs"))
        status.programs.push_back({.name = field<std::string>(each, "name", ""),
                                   .service = field(each, "service", true),
                                   .running = field(each, "running", false),
                                   .deaths = field(each, "deaths", std::uint64_t{0}),
                                   .ended = field<std::string>(each, "ended", ""),
                                   .said = field<std::string>(each, "said", "")});
    return status;
}

std::optional<DevStatus> ask_dev(bus::NatsClient& client, std::chrono::milliseconds timeout) {
    try {
        return read_dev_status(
            client.request_text(core::request_subject(kDevName, kVerb), "", timeout));
    } catch (const bus::NoAnswer&) {
        return std::nullopt;
    }
}

void DevDesk::open(bus::NatsClient& client) {
    client.serve(core::request_subject(kDevName, kVerb), kAtOnce,
                 [this](std::span<const bus::NatsClient::Question> questions) {
                     DevStatus status;
                     {
                         const std::lock_guard lock(mutex_);
                         status = status_;
                     }
                     std::error_code none;
                     const auto space = std::filesystem::space(status.data, none);
                     if (!none) status.free_bytes = space.available;
                     const std::string json = to_json(status);
                     std::vector<std::byte> bytes(json.size());
                     std::memcpy(bytes.data(), json.data(), json.size());
                     return std::vector<std::optional<std::vector<std::byte>>>(questions.size(),
                                                                               bytes);
                 });
}

void DevDesk::set(DevStatus status) {
    const std::lock_guard lock(mutex_);
    status_ = std::move(status);
}

}  // namespace saga::cli
