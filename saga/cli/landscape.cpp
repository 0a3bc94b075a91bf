#include "saga/cli/landscape.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "saga/cli/base64.hpp"
#include "saga/cli/buckets.hpp"
#include "saga/core/subject.hpp"
#include "saga/core/text.hpp"

namespace saga::cli {
namespace {

using nlohmann::json;

constexpr int kFormat = 1;  // of contracts; a later one may say things that are not known here

std::vector<std::string> words(const json& list) {
    std::vector<std::string> found;
    for (const json& each : list)
        if (each.is_string()) found.push_back(each);
    return found;
}

std::vector<Emitted> emitted(const json& list) {
    std::vector<Emitted> found;
    for (const json& each : list) {
        const auto kind = core::kind_of(field<std::string>(each, "kind", ""));
        if (kind) found.push_back({field<std::string>(each, "event", ""), *kind});
    }
    return found;
}

StepContract step_of(const json& step) {
    StepContract read{.name = field<std::string>(step, "name", ""),
                      .on = words(list(step, "on")),
                      .emits = emitted(list(step, "emits")),
                      .calls = field(step, "calls", false),
                      .once_per_event = field(step, "once_per_event", false)};
    for (const json& expect : list(step, "expects"))
        read.expects.push_back(
            {.after = std::chrono::milliseconds(field(expect, "after_ms", std::int64_t{0})),
             .answers = words(list(expect, "answers")),
             .asks = emitted(list(expect, "asks"))});
    const auto undo = step.is_object() ? step.find("undo") : step.end();
    if (undo == step.end() || !undo->is_object()) return read;
    read.undoes = true;
    read.undo_on = words(list(*undo, "on"));
    read.undone = emitted(list(*undo, "emits"));
    read.undo_calls = field(*undo, "calls", false);
    return read;
}

}  // namespace

const Emitted* StepContract::success() const {
    const auto found = std::find_if(emits.begin(), emits.end(),
                                    [](const Emitted& each) { return each.kind != Kind::failed; });
    return found == emits.end() ? nullptr : &*found;
}

void Landscape::add(const std::string& service, const std::string& contract) {
    const json read = read_json(contract);
    if (!read.is_object() || field(read, "format", 0) != kFormat) {
        unreadable_.push_back(service);
        return;
    }
    ServiceContract& its = services_[service];
    its.service = service;
    for (const json& step : list(read, "steps")) its.steps.push_back(step_of(step));
    its.reactions = words(list(read, "reactions"));
    for (const json& command : list(read, "commands"))
        its.commands.push_back(field<std::string>(command, "accepts", ""));
    for (const json& schema : list(read, "schemas")) {
        if (!schema.is_string()) continue;
        const auto bytes = from_base64(schema.get<std::string>());
        if (!bytes) continue;
        if (auto sound = core::PayloadSchema::read(*bytes)) its.schemas.push_back(*sound);
    }
}

Landscape landscape(bus::NatsClient& client, std::chrono::milliseconds timeout) {
    Landscape all;
    for (const auto& [service, contract] : Bucket(client, core::kContracts, timeout).all())
        if (is_service(service)) all.add(service, contract);
    return all;
}

bool is_service(std::string_view name) {
    return core::is_saga_id(name);  // with its shard: order-2
}

std::vector<std::string> meant_to_run(bus::NatsClient& client, std::chrono::milliseconds timeout) {
    const auto value = Bucket(client, core::kConfig, timeout).get(kMeantKey);
    if (!value) return {};
    std::vector<std::string> names = words(list(read_json(*value), "services"));
    std::erase_if(names, [](const std::string& name) { return !is_service(name); });
    return names;
}

}  // namespace saga::cli
