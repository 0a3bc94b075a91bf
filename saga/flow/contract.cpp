#include "saga/flow/contract.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <saga/detail/event_type.hpp>
#include <saga/error.hpp>

#include "saga/core/subject.hpp"
#include "saga/core/text.hpp"

namespace saga::flow {
namespace {

using nlohmann::json;

constexpr int kFormat = 1;  // of contracts; a later one may say things that are not known here
constexpr std::array<std::string_view, 4> kFates{"", "undo", "pivot", "keeps"};

/// A value and where it stands, as an error names it.
class Place {
  public:
    Place(const json& value, std::string path) : value_(value), path_(std::move(path)) {}

    [[noreturn]] void wrong(std::string_view what) const {
        std::string shown = value_.dump(-1, ' ', false, json::error_handler_t::replace);
        if (shown.size() > kShown) shown = shown.substr(0, kShown) + "...";
        throw Error(
            fmt::format("{} is {}: {}", path_.empty() ? "the contract" : path_, shown, what));
    }
    const Place& object() const {
        if (!value_.is_object()) wrong("it is to be an object");
        return *this;
    }
    bool has(const char* name) const { return object().value_.contains(name); }
    Place field(const char* name) const {
        if (!has(name))
            throw Error(
                fmt::format("{} has no \"{}\"", path_.empty() ? "the contract" : path_, name));
        return {value_.at(name), path_.empty() ? name : path_ + "." + name};
    }
    /// Each of the list of this name; a list that is not there is empty.
    template <class Read>
    auto each(const char* name, Read read) const {
        std::vector<decltype(read(*this))> found;
        if (!has(name)) return found;
        const Place list = field(name);
        if (!list.value_.is_array()) list.wrong("it is to be a list");
        for (std::size_t i = 0; i < list.value_.size(); ++i)
            found.push_back(read(Place(list.value_[i], fmt::format("{}[{}]", list.path_, i))));
        return found;
    }
    std::string text() const {
        if (!value_.is_string()) wrong("it is to be a text");
        return value_.get<std::string>();
    }
    std::string text(const char* name) const { return field(name).text(); }
    bool flag(const char* name) const {
        if (!has(name)) return false;
        const Place found = field(name);
        if (!found.value_.is_boolean()) found.wrong("it is to be true or false");
        return found.value_.get<bool>();
    }
    std::int64_t number() const {
        if (!value_.is_number_integer()) wrong("it is to be a whole number");
        return value_.get<std::int64_t>();
    }

  private:
    static constexpr std::size_t kShown = 60;
    const json& value_;
    std::string path_;
};

/// "shop.payment.PaymentTaken": at least the service and the event.
std::string event(const Place& place) {
    std::string name = place.text();
    const auto dot = name.find('.');
    if (dot == std::string::npos || dot == 0 || name.back() == '.')
        place.wrong("an event is a full name, such as \"shop.payment.PaymentTaken\"");
    return name;
}
std::string trigger(const Place& place) {
    const std::string name = place.text();
    return name == kAnyFailure || name == kAnyEvent ? name : event(place);
}

Emits emits(const Place& place) {
    const auto kind = core::kind_of(place.text("kind"));
    if (!kind) place.field("kind").wrong("a kind is done, failed, undone or ended");
    return {event(place.field("event")), *kind};
}

Fate fate(const Place& place) {
    const std::string word = place.text();
    const auto found = std::find(kFates.begin(), kFates.end(), word);
    if (found == kFates.end()) place.wrong("a fate is undo, pivot, keeps or empty");
    return static_cast<Fate>(found - kFates.begin());
}

Expect expect(const Place& place) {
    return {.after = std::chrono::milliseconds(place.field("after_ms").number()),
            .answers = place.each("answers", event),
            .asks = place.each("asks", emits)};
}

/// Where a call asks, if it asks over NATS and the contract says so.
std::string called(const Place& place) {
    return place.has("calls_subject") ? place.text("calls_subject") : std::string();
}

Step step(const Place& place) {
    Step step{.name = place.text("name"),
              .on = place.each("on", trigger),
              .emits = place.each("emits", emits),
              .undo_on = {},
              .undone = {},
              .expects = place.each("expects", expect),
              .calls = place.flag("calls"),
              .ends_saga = place.flag("ends_saga"),
              .once_per_event = place.flag("once_per_event"),
              .calls_subject = called(place),
              .undo_calls_subject = {}};
    if (step.on.empty()) place.wrong("a step is \"on\" at least one event");
    if (place.has("fate")) step.fate = fate(place.field("fate"));
    if (place.has("undo") != step.undoes())
        place.wrong("\"undo\" and the fate \"undo\" go together");
    if (!step.undoes()) return step;
    const Place undo = place.field("undo");
    step.undo_on = undo.each("on", event);
    step.undone = undo.each("emits", emits);
    step.undo_calls = undo.flag("calls");
    step.undo_calls_subject = called(undo);
    return step;
}

Command command(const Place& place) {
    return {.verb = place.text("verb"),
            .request = place.has("request") ? place.text("request") : "",
            .accepts = event(place.field("accepts")),
            .ends_saga = place.flag("ends_saga"),
            .asks_undo = place.flag("asks_undo")};
}

}  // namespace

bool Step::undone_by(std::string_view failure) const {
    return undoes() &&
           (undo_on.empty() || std::find(undo_on.begin(), undo_on.end(), failure) != undo_on.end());
}

const Emits* Step::success() const {
    const auto found = std::find_if(emits.begin(), emits.end(),
                                    [](const Emits& each) { return each.kind != Kind::failed; });
    return found == emits.end() ? nullptr : &*found;
}

std::map<std::string, std::set<Kind>> published_by(const Contract& contract) {
    std::map<std::string, std::set<Kind>> all;
    for (const Step& step : contract.steps) {
        for (const Emits& emits : step.emits) {
            std::set<Kind>& kinds = all[emits.event];
            if (emits.kind == Kind::failed || emits.kind == Kind::ended)
                kinds.insert(emits.kind);
            else if (step.ends_saga && &emits == step.success())  // the first of several
                kinds.insert(Kind::ended);
            else
                kinds.insert({Kind::done, Kind::undone});
        }
        for (const Emits& emits : step.undone) all[emits.event].insert(Kind::undone);
        for (const Expect& expect : step.expects)
            for (const Emits& emits : expect.asks) all[emits.event].insert(Kind::done);
    }
    for (const Command& command : contract.commands)
        all[command.accepts].insert(command.ends_saga ? Kind::ended : Kind::done);
    for (const auto& [event, kinds] : all)
        if (!core::is_type(event) || detail::split_type(event).owner != contract.service)
            throw Error(
                fmt::format("{} cannot publish {}: an event belongs to the service that "
                            "the last word before its name says",
                            contract.service, event));
    return all;
}

Contract read_contract(const json& json) {
    const Place place(json, "");
    const Place format = place.object().field("format");
    if (format.number() != kFormat) format.wrong("this program knows format 1");
    return {.service = place.text("service"),
            .steps = place.each("steps", step),
            .reactions = place.each("reactions", trigger),
            .commands = place.each("commands", command),
            .questions = place.each("questions", [](const Place& each) { return each.text(); }),
            .schemas = place.each("schemas", [](const Place& each) { return each.text(); })};
}

}  // namespace saga::flow
