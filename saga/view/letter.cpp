#include "saga/view/letter.hpp"

#include "saga/core/limits.hpp"
#include "saga/core/shard.hpp"
#include "saga/view/json.hpp"

namespace saga::view {

Letter letter_of(const std::string& service, const nlohmann::json& row) {
    const auto text = [&](const char* key) { return field<std::string>(row, key, ""); };
    std::string its = core::parse_instance(service).service, instance = text("service");
    if (core::parse_instance(instance).service != its) instance = service;
    return {.service = std::move(its),
            .instance = std::move(instance),
            .id = text("id"),
            .saga = text("saga"),
            .what = text("what"),
            .step = text("step"),
            .event = text("event"),
            .event_id = text("event_id"),
            .state = text("state"),
            .reason = text("reason"),
            .subject = text("subject"),
            .next_at = text("next_at"),
            .attempts = field(row, "attempts", std::int64_t{0}),
            .blocks = field(row, "blocks", false)};
}

std::optional<std::vector<Letter>> read_letters(const std::string& service, bool all,
                                                const std::string& saga, const AskDead& ask) {
    std::vector<Letter> letters;
    nlohmann::json body{{"all", all}};
    if (!saga.empty()) body["saga"] = saga;
    while (true) {  // page after page
        const auto answer = ask(body);
        if (!answer) return std::nullopt;
        const std::size_t before = letters.size();
        for (const nlohmann::json row : *answer)
            if (row.is_object()) letters.push_back(letter_of(service, row));
        // A page that is not full is the last; what ends where the one before it did leads nowhere.
        if (answer->size() < core::kMaxListed || letters.size() == before) return letters;
        if (body.value("after", "") == letters.back().id) return letters;
        body["after"] = letters.back().id;
    }
}

}  // namespace saga::view
