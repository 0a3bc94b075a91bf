// All that can be found out about one saga: from the stream, the contracts and the services.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "saga/cli/course.hpp"
#include "saga/cli/message_json.hpp"

namespace saga::cli {

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

/// Throws Stop: kNotFound when the stream has no event of it.
Inquiry inquire(const Options& options, const std::string& saga);

/// Adds an event that came since; with the judgement that follows from it.
void add(Inquiry& inquiry, const core::Message& message);

/// Asks the services what waits there of this saga; of one that has ended there is nothing to ask.
void ask_services(Inquiry& inquiry, bus::NatsClient& client, std::chrono::milliseconds timeout);

}  // namespace saga::cli
