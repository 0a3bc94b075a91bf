// Values of SQLite, and what a View stands on. Not part of the promise: include <saga/saga.hpp>.
#pragma once

#include <array>
#include <concepts>
#include <functional>
#include <optional>
#include <saga/error.hpp>
#include <saga/event.hpp>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <variant>

namespace saga::detail {

template <class... Columns>
struct RowOf {
    using type = std::tuple<Columns...>;
};
template <class Column>
struct RowOf<Column> {
    using type = Column;
};
template <class... Columns>
using Row = typename RowOf<Columns...>::type;

using Value = std::variant<std::monostate, std::int64_t, double, std::string_view>;
inline Value bind(std::string_view text) {
    return text;
}
inline Value bind(double number) {
    return number;
}
template <std::integral Number>
Value bind(Number number) {
    return static_cast<std::int64_t>(number);
}
template <class T>
Value bind(const std::optional<T>& value) {
    return value ? bind(*value) : Value{};
}

/// What a View stands on: the service's database inside the engine's transaction.
struct Port {
    using OnRow = std::function<bool(std::span<const Value>)>;  ///< false: enough
    virtual ~Port() = default;
    virtual std::int64_t exec(std::string_view sql, std::span<const Value> args) = 0;
    virtual void query(std::string_view sql, std::span<const Value> args, const OnRow& on_row) = 0;
    virtual void lock(std::span<const std::string_view> entities) = 0;
    virtual bool seen(std::string_view event) = 0;
    virtual Time now() = 0;
    virtual const std::string& saga_id() = 0;
};

[[noreturn]] void wrong_column(std::size_t index, const char* wanted);
[[noreturn]] void too_few_columns(std::size_t wanted, std::size_t found);

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;

template <class T>
T column(std::span<const Value> values, std::size_t index) {
    const Value& value = values[index];
    if constexpr (is_optional<T>) {
        if (std::holds_alternative<std::monostate>(value)) return std::nullopt;
        return column<typename T::value_type>(values, index);
    } else if constexpr (std::is_integral_v<T>) {
        if (const auto* number = std::get_if<std::int64_t>(&value)) return static_cast<T>(*number);
        wrong_column(index, "an integer");
    } else if constexpr (std::is_floating_point_v<T>) {
        if (const auto* real = std::get_if<double>(&value)) return static_cast<T>(*real);
        if (const auto* number = std::get_if<std::int64_t>(&value)) return static_cast<T>(*number);
        wrong_column(index, "a number");
    } else {
        if (const auto* text = std::get_if<std::string_view>(&value)) return T(*text);
        wrong_column(index, "text");
    }
}
template <class... Columns>
Row<Columns...> row(std::span<const Value> values) {
    if (values.size() < sizeof...(Columns)) too_few_columns(sizeof...(Columns), values.size());
    return [&]<std::size_t... I>(std::index_sequence<I...>) {
        return Row<Columns...>{column<Columns>(values, I)...};
    }
    (std::index_sequence_for<Columns...>{});
}

}  // namespace saga::detail
