#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "saga/flow/check.hpp"
#include "saga/flow/words.hpp"

namespace saga::flow {
namespace {

std::string participant(std::string_view name) {
    return plain(name, "\"<>;#:,- ");
}
std::string words(std::string_view text) {
    return plain(text, "\"<>;#");
}

}  // namespace

std::string to_text(const Finding& finding) {
    std::size_t from = 0, to = 0, message = 0;
    for (const Finding::Line& line : finding.course) {
        from = std::max(from, line.from.size());
        to = std::max(to, line.to.size());
        message = std::max(message, line.message.size());
    }
    std::string out;
    for (const Finding::Line& line : finding.course) {
        std::string text = fmt::format("    {:{}} {} {:{}}  {:{}}  {}", line.from, from,
                                       line.from.empty() ? "  " : "->", line.to, to, line.message,
                                       message, fmt::join(line.deeds, ", "));
        text.erase(text.find_last_not_of(' ') + 1);
        out += plain(text, "") + "\n";
    }
    return out;
}

std::string to_mermaid(const Finding& finding) {
    std::string out = "sequenceDiagram\n";
    std::vector<std::string> known;
    for (const Finding::Line& line : finding.course)
        for (const std::string& who : {line.from, line.to})
            if (!who.empty() && std::ranges::find(known, who) == known.end()) {
                known.push_back(who);
                out += fmt::format("    participant {}\n", participant(who));
            }
    for (const Finding::Line& line : finding.course) {
        const std::string to = participant(line.to);
        out += fmt::format("    {}->>{}: {}\n", line.from.empty() ? to : participant(line.from), to,
                           words(line.message));
        if (!line.deeds.empty())
            out += fmt::format("    Note over {}: {}\n", to,
                               words(fmt::format("{}", fmt::join(line.deeds, ", "))));
    }
    return out;
}

}  // namespace saga::flow
