#include "tests/unit/core/declared.hpp"

#include <map>
#include <memory>

namespace saga::test {
namespace {

std::vector<detail::Type> types(const Names& names) {
    std::vector<detail::Type> all;
    for (const std::string& name : names) all.push_back(event_type(name));
    return all;
}

/// A code that says of itself that it asks somebody; nobody runs it.
detail::Code asking() {
    detail::Code code;
    code.ask = [](const View&, detail::Inputs) { return detail::Ran{}; };
    code.options.attempts = 2;
    return code;
}

}  // namespace

detail::Type event_type(std::string_view name) {
    if (name == detail::kAnyFailure.full) return &detail::kAnyFailure;
    if (name == detail::kAnyEvent.full) return &detail::kAnyEvent;
    struct Known {
        std::string full;
        detail::EventType type;
    };
    static std::map<std::string, std::unique_ptr<Known>, std::less<>> known;
    auto at = known.find(name);
    if (at == known.end()) {
        auto made = std::make_unique<Known>();
        made->full = "test.shop." + std::string(name);
        const auto [owner, plain] = detail::split_type(made->full);
        made->type = {.full = made->full, .owner = owner, .name = plain};
        made->type.verify = [](Bytes payload) {
            return payload.empty() || payload.front() != std::byte{'!'};
        };
        at = known.emplace(name, std::move(made)).first;
    }
    return &at->second->type;
}

Declared& Declared::step(std::string name, const Names& on, const Names& success,
                         const Names& failures) {
    detail::StepCode step;
    step.name = std::move(name);
    step.starts_on = types(on);
    for (const detail::Type type : types(success)) step.emits.push_back({type, Kind::done});
    for (const detail::Type type : types(failures)) step.emits.push_back({type, Kind::failed});
    contract_.steps.push_back(std::move(step));
    return *this;
}

Declared& Declared::undo_on(const Names& failures, const std::string& event) {
    last().undone = {{event_type(event), Kind::undone}};
    last().undone_on = types(failures);
    return fate(detail::Fate::undo);
}

Declared& Declared::ends_saga() {
    last().ends_saga = true;
    return *this;
}

Declared& Declared::once_per_event() {
    last().once_per_event = true;
    return *this;
}

Declared& Declared::expect(const Names& answers, const std::string& asks) {
    last().expects.push_back({.after = std::chrono::minutes(30),
                              .answers = types(answers),
                              .ask = {},
                              .asks = {{event_type(asks), Kind::done}}});
    return *this;
}

Declared& Declared::calls() {
    last().code = asking();
    return *this;
}

Declared& Declared::undo_calls() {
    last().undo = asking();
    return *this;
}

Declared& Declared::on(const std::string& event) {
    contract_.reactions.push_back({event_type(event), {}});
    return *this;
}

Declared& Declared::fate(detail::Fate fate) {
    last().fate = fate;
    return *this;
}

}  // namespace saga::test
