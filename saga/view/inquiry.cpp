#include "saga/view/inquiry.hpp"

#include <array>

#include "saga/core/subject.hpp"

namespace saga::view {

using nlohmann::ordered_json;

void add(Inquiry& inquiry, const core::Message& message) {
    inquiry.facts.push_back(fact_of(message, *inquiry.words));
    const Fact& fact = inquiry.facts.back();
    inquiry.payloads.push_back(
        payload_json(fact.type, message.envelope().payload, inquiry.schemas));
}

void judge(Inquiry& inquiry) {
    inquiry.judgement = judge(inquiry.facts, inquiry.landscape, inquiry.letters);
}

void ask_services(Inquiry& inquiry, const AskLetters& ask) {
    inquiry.letters.clear();
    inquiry.silent.clear();
    judge(inquiry);
    if (inquiry.judgement.course == Course::completed) return;
    for (const auto& [service, contract] : inquiry.landscape.services()) {
        const auto letters = ask(service);
        if (!letters) {
            inquiry.silent.push_back(service);
            continue;
        }
        inquiry.letters.insert(inquiry.letters.end(), letters->begin(), letters->end());
    }
    judge(inquiry);
}

ordered_json json_of(const Fact& fact, const ordered_json& payload, Time started) {
    ordered_json json{{"seq", fact.seq},
                      {"offset_us", (fact.time - started).count()},
                      {"time", core::rfc3339(fact.time)},
                      {"service", fact.service},
                      {"step", fact.step},
                      {"kind", core::name_of(fact.kind)},
                      {"event", fact.event},
                      {"type", fact.type},
                      {"id", fact.id.text()},
                      {"cause", nullptr}};
    if (fact.cause) json["cause"] = fact.cause.text();
    if (!fact.because.empty()) json["because"] = fact.because;
    json["payload"] = payload;
    return json;
}

ordered_json json_of(const Inquiry& inquiry, Time now, bool events) {
    const Judgement& judged = inquiry.judgement;
    constexpr std::array<std::string_view, 4> kWhat{"step", "join", "undo", "timer"};
    ordered_json json{{"saga", inquiry.saga},
                      {"state", name_of(judged.course)},
                      {"started", core::rfc3339(judged.started)},
                      {"last", core::rfc3339(judged.last)},
                      {"duration_us", (judged.last - judged.started).count()},
                      {"failed_by", nullptr},
                      {"last_word", nullptr},
                      {"events", inquiry.facts.size()},
                      {"waits", ordered_json::array()},
                      {"letters", ordered_json::array()},
                      {"silent", inquiry.silent}};
    if (!judged.failed_by.empty()) json["failed_by"] = judged.failed_by;
    if (!judged.last_word.empty()) json["last_word"] = judged.last_word;
    for (const Awaited& each : judged.awaited)
        json["waits"].push_back(
            {{"what", kWhat.at(static_cast<std::size_t>(each.what))},
             {"service", each.service},
             {"step", each.step},
             {"events", each.events},
             {"seconds", std::chrono::duration<double>(now - each.since).count()},
             {"calls", each.calls}});
    for (const Letter& letter : inquiry.letters)
        json["letters"].push_back({{"id", letter.name()},
                                   {"what", letter.what},
                                   {"step", letter.step},
                                   {"event", letter.event},
                                   {"state", letter.state},
                                   {"attempts", letter.attempts},
                                   {"reason", letter.reason}});
    if (!events) return json;
    json["events"] = ordered_json::array();
    for (std::size_t i = 0; i < inquiry.facts.size(); ++i)
        json["events"].push_back(json_of(inquiry.facts[i], inquiry.payloads[i], judged.started));
    return json;
}

}  // namespace saga::view
