#include "tests/flow/choreography.hpp"

#include <map>
#include <nlohmann/json.hpp>
#include <saga/error.hpp>
#include <set>
#include <sstream>
#include <string>

namespace saga::test {
namespace {

using nlohmann::json;

std::vector<std::string> words_of(const std::string& line) {
    std::istringstream in(line);
    std::vector<std::string> words;
    for (std::string word; in >> word;) words.push_back(word);
    return words;
}

/// The words of each line, the service first; a line that begins with a blank goes on.
std::vector<std::vector<std::string>> lines_of(std::string_view text) {
    std::istringstream in{std::string(text)};
    std::vector<std::vector<std::string>> lines;
    for (std::string line; std::getline(in, line);) {
        std::vector<std::string> words = words_of(line);
        if (words.empty()) continue;
        if (words.front().back() == ':') {
            words.front().pop_back();
            lines.emplace_back();
        }
        lines.back().insert(lines.back().end(), words.begin(), words.end());
    }
    return lines;
}

bool is_mark(char letter) {
    return letter == '!' || letter == '~';
}

class Reading {
  public:
    explicit Reading(const std::vector<std::vector<std::string>>& lines) {
        for (const auto& words : lines) find_owners(words);
        for (const auto& words : lines) read(words);
    }

    std::vector<json> contracts() const {
        std::vector<json> all;
        for (const auto& [service, contract] : contracts_) all.push_back(contract);
        return all;
    }

  private:
    void find_owners(const std::vector<std::string>& words) {
        bool says = false;
        for (const std::string& word : words) {
            static const std::set<std::string> kSaying{"->", "|", "+", "undo", "asks"};
            static const std::set<std::string> kOther{"undo_on", "pivot", "keeps",  "ends",
                                                      "calls",   "each",  "expects"};
            if (kSaying.contains(word))
                says = true;
            else if (kOther.contains(word))
                says = false;
            else if (says)
                owners_[is_mark(word.front()) ? word.substr(1) : word] = words.front();
        }
    }
    std::string full(const std::string& event) const {
        if (event.front() == '*') return event;
        const auto owner = owners_.find(event);
        return "test." + (owner == owners_.end() ? "nobody" : owner->second) + "." + event;
    }
    json emits(const std::string& word) const {
        const char* kind = word.front() == '!' ? "failed" : word.front() == '~' ? "undone" : "done";
        return {{"event", full(is_mark(word.front()) ? word.substr(1) : word)}, {"kind", kind}};
    }

    void read(const std::vector<std::string>& words) {
        const auto [place, is_new] = contracts_.try_emplace(words.at(0));
        json& contract = place->second;
        if (is_new)
            contract = {{"format", 1},
                        {"service", words.at(0)},
                        {"steps", json::array()},
                        {"reactions", json::array()},
                        {"commands", json::array()}};
        if (words.at(1) == "reads") {
            contract["reactions"].push_back(full(words.at(2)));
        } else if (words.at(1) == "command") {
            contract["commands"].push_back({{"verb", words.at(2)},
                                            {"accepts", full(words.at(4))},
                                            {"ends_saga", words.back() == "ends"},
                                            {"asks_undo", words.back() == "undoes"}});
        } else {
            contract["steps"].push_back(step(words));
        }
    }

    json step(const std::vector<std::string>& words) const {
        json step{
            {"name", words.at(1)}, {"on", json::array()}, {"emits", json::array()}, {"fate", ""}};
        std::string to;
        for (std::size_t i = 2; i < words.size(); ++i) {
            const std::string& word = words[i];
            if (word == "&" || word == "+") continue;
            if (word == "pivot" || word == "keeps") {
                step["fate"] = word;
            } else if (word == "ends") {
                step["ends_saga"] = true;
            } else if (word == "calls") {
                step["calls"] = true;
            } else if (word == "each") {
                step["once_per_event"] = true;
            } else if (word == "undo") {
                step["fate"] = word;
                step["undo"] = {{"on", json::array()}, {"emits", json::array()}};
                to = word;
            } else if (word == "expects") {
                step["expects"].push_back(
                    {{"after_ms", 1000}, {"answers", json::array()}, {"asks", json::array()}});
                to = word;
            } else if (word == "on" || word == "->" || word == "|" || word == "undo_on" ||
                       word == "asks") {
                to = word;
            } else if (to == "on") {
                step["on"].push_back(full(word));
            } else if (to == "->" || to == "|") {
                step["emits"].push_back(emits(word));
            } else if (to == "undo") {
                step["undo"]["emits"].push_back(emits(word));
            } else if (to == "undo_on") {
                step["undo"]["on"].push_back(full(word));
            } else if (to == "expects") {
                step["expects"].back()["answers"].push_back(full(word));
            } else if (to == "asks") {
                step["expects"].back()["asks"].push_back(emits(word));
            } else {
                throw Error("a choreography's word is not known: " + word);
            }
        }
        return step;
    }

    std::map<std::string, std::string> owners_;  // of each event
    std::map<std::string, json> contracts_;
};

}  // namespace

std::vector<nlohmann::json> contracts_of(std::string_view text) {
    return Reading(lines_of(text)).contracts();
}

std::vector<flow::Contract> choreography(std::string_view text) {
    std::vector<flow::Contract> all;
    for (const json& contract : contracts_of(text)) all.push_back(flow::read_contract(contract));
    return all;
}

const std::string_view kShop = R"(
order: command place -> Requested
order: command cancel -> CancelRequested undoes
order: open on Requested keeps
order: confirm on Shipped -> Confirmed ends
order: reject on *failed -> ~Rejected ends
order: reads CancelRefused
inventory: reserve on Requested -> Reserved | !Short undo ~Released
payment: take on Reserved -> Taken | !Declined calls undo ~Refunded expects Shipped asks Overdue
shipping: ship on Requested & Taken -> Shipped | !Refused pivot
shipping: stop on CancelRequested -> CancelRefused | !Cancelled keeps
shipping: give_up on Overdue | !Cancelled keeps
)";

}  // namespace saga::test
