// What services answer on their request subjects, whatever they declare (docs/protocol.md).
#pragma once

#include <array>
#include <string_view>

namespace saga::core {

struct Verb {
    std::string_view name;
    std::string_view body;  ///< an example; empty: none is needed
};
/// They change nothing.
inline constexpr std::array<Verb, 5> kReadVerbs{{{"dead", R"({"all":true,"saga":"1001"})"},
                                                 {"letter", R"({"id":"17"})"},
                                                 {"outbox", R"({"after":17})"},
                                                 {"owner", ""},
                                                 {"state", ""}}};
/// Operators' words about what is dead: an event each.
inline constexpr std::array<Verb, 3> kActVerbs{{{"retry", R"({"id":"17","reason":"why"})"},
                                                {"skip", R"({"id":"17","reason":"why"})"},
                                                {"drop", R"({"id":"17","reason":"why"})"}}};
/// Likewise, where a command asks for an undo.
inline constexpr Verb kUndoVerb{"undo", R"({"saga":"1001","reason":"why"})"};
/// Fills a folder of the service's host.
inline constexpr Verb kBackupVerb{"backup", ""};

}  // namespace saga::core
