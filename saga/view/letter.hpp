// What waits in the services, or stands aside there.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace saga::view {

/// Something that waits, or stands aside (its verbs `dead` and `letter`).
struct Letter {
    std::string service, instance, id, saga, what, step, event, event_id, state, reason, subject,
        next_at;
    std::int64_t attempts = 0;
    bool blocks = false;

    /// Who has it: the service, or its shard.
    const std::string& holder() const { return instance.empty() ? service : instance; }
    std::string name() const { return holder() + "/" + id; }  ///< "payment/17"
    bool aside() const { return what == "aside"; }
    bool dead() const { return state == "dead"; }
    bool open_call() const { return what == "call" && state == "open"; }
};
/// Which of the service's shards has it stands in the row; nobody speaks for another service.
Letter letter_of(const std::string& service, const nlohmann::json& row);

/// Asks one service's verb `dead`: its JSON, nothing when it does not answer.
using AskDead = std::function<std::optional<nlohmann::ordered_json>(const nlohmann::json& body)>;
/// All pages of it. Nothing when it does not answer; `all`: also what waits for its next attempt.
/// Of one saga where one is named: then with the calls that are open.
std::optional<std::vector<Letter>> read_letters(const std::string& service, bool all,
                                                const std::string& saga, const AskDead& ask);

}  // namespace saga::view
