#include "saga/verify/contract.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <saga/detail/contract.hpp>

namespace saga::verify {
namespace {

using nlohmann::json;

const json& part(const json& of, const char* name) {
    static const json nothing = json::array();
    const auto found = of.is_object() ? of.find(name) : of.end();
    return of.is_object() && found != of.end() ? *found : nothing;
}
std::string text(const json& of, const char* name) {
    const json& found = part(of, name);
    return found.is_string() ? found.get<std::string>() : "";
}
bool flag(const json& of, const char* name) {
    const json& found = part(of, name);
    return found.is_boolean() && found.get<bool>();
}
std::vector<std::string> texts(const json& list) {
    std::vector<std::string> found;
    for (const json& each : list)
        if (each.is_string()) found.push_back(each);
    return found;
}
std::string name_of(std::string_view type) {
    return std::string(detail::split_type(type).name);
}

Step step_of(const json& read) {
    Step step{.name = text(read, "name"),
              .on = texts(part(read, "on")),
              .undoes = text(read, "fate") == "undo",
              .calls = flag(read, "calls"),
              .ends_saga = flag(read, "ends_saga"),
              .once_per_event = flag(read, "once_per_event")};
    for (const json& each : part(read, "emits"))
        (text(each, "kind") == "failed" ? step.failed : step.done)
            .insert(name_of(text(each, "event")));
    const json& undo = part(read, "undo");
    for (const json& each : part(undo, "emits")) step.undone.insert(name_of(text(each, "event")));
    for (const std::string& each : texts(part(undo, "on"))) step.undone_on.push_back(name_of(each));
    for (const json& expect : part(read, "expects")) {
        for (const std::string& each : texts(part(expect, "answers"))) step.answers.insert(each);
        for (const json& each : part(expect, "asks"))
            step.asks.insert(name_of(text(each, "event")));
    }
    return step;
}

}  // namespace

bool Step::takes(std::string_view type, Kind kind) const {
    return std::any_of(on.begin(), on.end(), [&](const std::string& each) {
        return each == type || (each == detail::kAnyFailure.full && kind == Kind::failed);
    });
}

const Step* Contract::step(std::string_view name) const {
    const auto found =
        std::find_if(steps.begin(), steps.end(), [&](const Step& s) { return s.name == name; });
    return found == steps.end() ? nullptr : &*found;
}

const Contract::Command* Contract::command(std::string_view verb) const {
    const auto found = std::find_if(commands.begin(), commands.end(),
                                    [&](const Command& c) { return c.verb == verb; });
    return found == commands.end() ? nullptr : &*found;
}

bool Contract::ends_sagas() const {
    return std::any_of(steps.begin(), steps.end(), [](const Step& s) { return s.ends_saga; }) ||
           std::any_of(commands.begin(), commands.end(), [](const auto& c) { return c.ends_saga; });
}

bool Contract::awaits(std::string_view type) const {
    return std::any_of(steps.begin(), steps.end(),
                       [&](const Step& s) { return s.answers.contains(std::string(type)); });
}

bool Contract::takes(std::string_view type, Kind kind) const {
    return everything_ || std::find(reactions.begin(), reactions.end(), type) != reactions.end() ||
           std::any_of(steps.begin(), steps.end(),
                       [&](const Step& s) { return s.takes(type, kind); });
}

bool Contract::reads(std::string_view self, std::string_view source, std::string_view event,
                     Kind kind) const {
    if (everything_ || kind == Kind::failed || kind == Kind::ended || source == self) return true;
    return read_.contains(std::string(source).append(".").append(event));
}

Contract read_contract(const json& json) {
    Contract contract;
    for (const auto& each : part(json, "steps")) contract.steps.push_back(step_of(each));
    contract.reactions = texts(part(json, "reactions"));
    for (const auto& each : part(json, "commands"))
        contract.commands.push_back(
            {text(each, "verb"), name_of(text(each, "accepts")), flag(each, "ends_saga")});
    const auto read = [&](std::string_view type) {
        const detail::TypeName name = detail::split_type(type);
        contract.everything_ = contract.everything_ || type == detail::kAnyEvent.full;
        contract.read_.insert(std::string(name.owner).append(".").append(name.name));
    };
    for (const std::string& each : contract.reactions) read(each);
    for (const Step& step : contract.steps) {
        for (const std::string& each : step.on) read(each);
        for (const std::string& each : step.answers) read(each);
    }
    return contract;
}

}  // namespace saga::verify
