#include "saga/cli/chaos/told.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "saga/cli/buckets.hpp"

namespace saga::cli {

void Told::take(std::string_view line) {
    if (!line.starts_with("{")) return;
    const auto json = nlohmann::json::parse(line, nullptr, false);
    const std::string key = field(json, "key", std::string());
    const std::string result = field(json, "result", std::string());
    if (key.empty() || (result != "ok" && result != "fail" && result != "unknown")) return;
    const Answered answer = result == "ok"     ? Answered::ok
                            : result == "fail" ? Answered::fail
                                               : Answered::unknown;
    Asked asked{field(json, "service", std::string()), field(json, "command", std::string()),
                answer};
    const auto [known, fresh] = asked_.emplace(key, asked);
    if (!fresh && answer < known->second.answer) known->second = std::move(asked);
}

std::size_t Told::count(Answered answer) const {
    return static_cast<std::size_t>(
        std::count_if(asked_.begin(), asked_.end(),
                      [&](const auto& each) { return each.second.answer == answer; }));
}

}  // namespace saga::cli
