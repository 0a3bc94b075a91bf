// All that can be found out about one saga: from the stream, the contracts and the services.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "saga/view/course.hpp"
#include "saga/view/message_json.hpp"

namespace saga::view {

struct Inquiry {
    std::string saga;
    std::vector<Fact> facts;                       ///< in the stream's order
    std::vector<nlohmann::ordered_json> payloads;  ///< of each fact
    std::vector<Letter> letters;                   ///< of this saga
    std::vector<std::string> silent;               ///< services that do not answer
    Judgement judgement;
    Landscape landscape;
    Schemas schemas;
    std::shared_ptr<Words> words = std::make_shared<Words>();
};

/// Adds an event, without a new judgement.
void add(Inquiry& inquiry, const core::Message& message);
/// By what is known now; there is at least one fact.
void judge(Inquiry& inquiry);

/// The letters of one service, or nothing when it does not answer.
using AskLetters = std::function<std::optional<std::vector<Letter>>(const std::string& service)>;
/// Asks each service what waits there of this saga, and judges again; of one that completed there
/// is nothing to ask.
void ask_services(Inquiry& inquiry, const AskLetters& ask);

nlohmann::ordered_json json_of(const Fact& fact, const nlohmann::ordered_json& payload,
                               Time started);
/// `events`: with each of them, and not only their number.
nlohmann::ordered_json json_of(const Inquiry& inquiry, Time now, bool events);

}  // namespace saga::view
