// JSON that others wrote: bounded in depth, and never trusted about a type.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace saga::view {

inline constexpr std::size_t kDeepestJson = 100;  ///< Values in each other; ours have five.
/// How deep a text's arrays and objects stand in each other.
std::size_t json_depth(std::string_view text);

/// What others wrote, parsed; discarded (is_discarded()) where it is no JSON, and where a value
/// stands deeper than kDeepestJson in others: nlohmann's copies and dumps call themselves for each.
template <class Json = nlohmann::json>
Json read_json(std::string_view text) {
    if (json_depth(text) > kDeepestJson) return Json(nlohmann::json::value_t::discarded);
    return Json::parse(text, nullptr, false);
}

/// A value of the type at this key; `otherwise` where there is none, or one of another type. What
/// others wrote is read with it: nlohmann's own value() throws at a wrong type.
template <class T>
T field(const nlohmann::json& object, const char* key, T otherwise) {
    if (!object.is_object()) return otherwise;
    const auto found = object.find(key);
    if (found == object.end()) return otherwise;
    if constexpr (std::is_same_v<T, bool>)
        return found->is_boolean() ? found->template get<T>() : otherwise;
    else if constexpr (std::is_arithmetic_v<T>)
        return found->is_number() ? found->template get<T>() : otherwise;
    else
        return found->is_string() ? found->template get<T>() : otherwise;
}
/// The array at this key; an empty one where there is none.
nlohmann::json list(const nlohmann::json& object, const char* key);

}  // namespace saga::view
