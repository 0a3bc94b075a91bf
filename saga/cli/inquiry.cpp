#include "saga/cli/inquiry.hpp"

#include <algorithm>

namespace saga::cli {

Inquiry inquire(const Options& options, const std::string& saga) {
    require_saga_id(saga);
    Inquiry found{.saga = saga};
    const auto client = options.connect();
    stream_state(*client, options.timeout);  // says so when there is none
    found.landscape = landscape(*client, options.timeout);
    found.schemas.add(found.landscape);
    SchemaCache().keep(found.landscape);
    read_saga(options, saga, *found.words, [&](const Fact& fact, const core::Message& message) {
        found.facts.push_back(fact);
        found.payloads.push_back(
            payload_json(fact.type, message.envelope().payload, found.schemas));
    });
    if (found.facts.empty())
        throw Stop(kNotFound, fmt::format("the stream has no event of a saga {}: is that its id? "
                                          "`saga ls` shows the latest ones",
                                          saga));
    found.judgement = judge(found.facts, found.landscape, {});
    ask_services(found, *client, options.timeout);
    return found;
}

void add(Inquiry& inquiry, const core::Message& message) {
    inquiry.facts.push_back(fact_of(message, *inquiry.words));
    const Fact& fact = inquiry.facts.back();
    inquiry.payloads.push_back(
        payload_json(fact.type, message.envelope().payload, inquiry.schemas));
    inquiry.judgement = judge(inquiry.facts, inquiry.landscape, inquiry.letters);
}

void ask_services(Inquiry& inquiry, bus::NatsClient& client, std::chrono::milliseconds timeout) {
    inquiry.letters.clear();
    inquiry.silent.clear();
    if (inquiry.judgement.course == Course::completed) return;
    const Participants participants(client, timeout);
    for (const auto& [service, contract] : inquiry.landscape.services()) {
        const auto letters = participants.letters(service, true, inquiry.saga);
        if (!letters) {
            inquiry.silent.push_back(service);
            continue;
        }
        inquiry.letters.insert(inquiry.letters.end(), letters->begin(), letters->end());
    }
    inquiry.judgement = judge(inquiry.facts, inquiry.landscape, inquiry.letters);
}

}  // namespace saga::cli
