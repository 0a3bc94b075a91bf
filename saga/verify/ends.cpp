// I4: a saga has one end, and each service that knows the saga knows the same.
#include <algorithm>

#include "saga/verify/checks.hpp"

namespace saga::verify {
namespace {

class EndsCheck {
  public:
    EndsCheck(const Facts& facts, const Options& options, Report& report)
        : facts_(facts), options_(options), report_(report), ends_(ends_of(facts)) {}

    void run() {
        for (const Service& service : facts_.services)
            for (const auto& [key, known] : service.sagas) known_end(service, known);
        // In the stream's order, so that two runs say the same.
        for (const auto& [saga, words] :
             std::map<std::string, std::vector<const Event*>>(ends_.begin(), ends_.end()))
            if (words.size() > 1)
                report_.add("", saga, "the saga has ended {} times: with {} of {} and {} of {}",
                            words.size(), text_of(*words[0]), words[0]->source, text_of(*words[1]),
                            words[1]->source);
        if (options_.at_rest)
            for (const Service& service : facts_.services) unheard_ends(service);
    }

  private:
    void known_end(const Service& service, const Known& known);
    void unheard_ends(const Service& service);

    const Facts& facts_;
    const Options& options_;
    Report& report_;
    const Ends ends_;
};

/// What the service takes for the saga's end against what was published.
void EndsCheck::known_end(const Service& service, const Known& known) {
    if (!known.ended()) return;
    const auto found = ends_.find(known.row.id);
    if (found == ends_.end()) {
        if (facts_.whole && !facts_.may_be_pruned(known.row.started))
            report_.add(service.name, known.row.id,
                        "the saga has ended here with {}, and nobody published that",
                        known.row.ended_by);
        return;
    }
    const std::vector<const Event*>& words = found->second;
    const auto word = std::find_if(words.begin(), words.end(), [&](const Event* each) {
        return each->name() == known.row.ended_by;
    });
    if (word == words.end()) {
        report_.add(service.name, known.row.id, "the saga has ended here with {}, and {} says {}",
                    known.row.ended_by, words.front()->source, text_of(*words.front()));
    } else if ((*word)->because.empty() && known.failed()) {
        report_.add(service.name, known.row.id,
                    "the saga has ended well with {}, and has failed here with {}", text_of(**word),
                    known.row.failures.front());
    } else if (!(*word)->because.empty() && !known.failed()) {
        report_.add(service.name, known.row.id,
                    "the saga has ended with {} because of {}, and has not failed here",
                    text_of(**word), (*word)->because);
    }
}

/// Who knew the saga when its last word came has heard it.
void EndsCheck::unheard_ends(const Service& service) {
    std::unordered_set<std::string_view> known_by_now;
    for (const Message& message : facts_.stream) {
        const Event& event = message.event;
        if (message.seq > service.cursor.seq) break;
        const Contract& contract = service.contract;
        if (!service.shard.takes(event.saga) ||
            !contract.reads(service.name, event.source, event.name(), event.kind))
            continue;
        if (event.failure() || contract.takes(event.type, event.kind) ||
            contract.awaits(event.type))
            known_by_now.insert(event.saga);
        if (event.kind != Kind::ended || !known_by_now.contains(event.saga)) continue;
        const Known* known = service.find(event.saga);
        if (known != nullptr && !known->ended() && !service.stands_aside(event.id))
            report_.add(service.name, event.saga, "the saga has ended with {}, and is open here",
                        text_of(event));
    }
}

}  // namespace

void check_ends(const Facts& facts, const Options& options, Report& report) {
    EndsCheck(facts, options, report).run();
}

}  // namespace saga::verify
