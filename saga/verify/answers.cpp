// I9: a command that was accepted stands, and one that was refused does not.
#include <algorithm>
#include <tuple>

#include "saga/verify/checks.hpp"

namespace saga::verify {
namespace {

/// All that was said of one command of one saga.
struct Said {
    bool accepted = false, refused = false, unknown = false;
};
using Key = std::tuple<std::string, std::string, std::string>;  // service, saga, command

const CommandRow* stands(const Known& known, const std::string& verb) {
    const auto row = std::find_if(known.commands.begin(), known.commands.end(),
                                  [&](const CommandRow& each) { return each.verb == verb; });
    return row == known.commands.end() ? nullptr : &*row;
}

class AnswersCheck {
  public:
    AnswersCheck(const Facts& facts, Report& report) : facts_(facts), report_(report) {
        for (const Message& message : facts.stream)
            began_.emplace(message.event.saga, message.event.started);
    }

    void look(const Service& service, const std::string& saga, const std::string& verb,
              const Said& said) {
        const Known* known = service.find(saga);
        const CommandRow* row = known == nullptr ? nullptr : stands(*known, verb);
        if (row != nullptr && said.refused && !said.accepted && !said.unknown)
            report_.add(service.name, saga, "the command {} was refused, and stands", verb);
        if (!said.accepted) return;
        if (known == nullptr) {
            if (!forgotten(service, saga))
                report_.add(service.name, saga,
                            "the command {} was accepted, and its saga is unknown here", verb);
        } else if (row == nullptr) {
            report_.add(service.name, saga, "the command {} was accepted, and nothing stands of it",
                        verb);
        } else if (!facts_.exists(row->event) && !facts_.may_be_pruned(known->row.started)) {
            report_.add(service.name, saga, "the command {} was accepted, and its event {} is gone",
                        verb, row->event.text());
        }
    }

  private:
    /// Whether the saga may have been pruned: it has ended, long ago.
    bool forgotten(const Service& service, const std::string& saga) const {
        const auto began = began_.find(saga);
        return began == began_.end() ? service.journal_from != Time{}
                                     : began->second < service.journal_from;
    }
    const Facts& facts_;
    Report& report_;
    std::unordered_map<std::string, Time> began_;
};

}  // namespace

void check_answers(const Facts& facts, const std::vector<Answer>& answers, Report& report) {
    std::map<Key, Said> all;
    for (const Answer& answer : answers) {
        Said& said = all[{answer.service, answer.saga, answer.command}];
        said.accepted = said.accepted || answer.told == Told::accepted;
        said.refused = said.refused || answer.told == Told::refused;
        said.unknown = said.unknown || answer.told == Told::unknown;
    }
    AnswersCheck check(facts, report);
    for (const auto& [key, said] : all)
        if (const Service* service = facts.service(std::get<0>(key), std::get<1>(key)))
            check.look(*service, std::get<1>(key), std::get<2>(key), said);
}

}  // namespace saga::verify
