#include "saga/store/recent.hpp"

#include <bit>
#include <functional>
#include <saga/error.hpp>
#include <utility>

namespace saga::store {

Recent::Recent(std::size_t places) : states_(places), places_(places) {
    SAGA_ASSERT(std::has_single_bit(places));
}

std::size_t Recent::place_of(std::string_view id) const {
    return std::hash<std::string_view>{}(id) & (states_.size() - 1);
}
std::size_t& Recent::place_of(std::int64_t key) {
    return places_[static_cast<std::size_t>(key) & (places_.size() - 1)];
}

std::optional<core::SagaState> Recent::take(std::string_view id) {
    core::SagaState& state = states_[place_of(id)];
    if (state.row.key == 0 || state.row.id != id) return std::nullopt;
    return std::exchange(state, {});
}

std::optional<core::SagaState> Recent::take(std::int64_t key) {
    core::SagaState& state = states_[place_of(key)];
    if (key == 0 || state.row.key != key) return std::nullopt;
    return std::exchange(state, {});
}

void Recent::put(core::SagaState state) {
    const std::size_t place = place_of(state.row.id);
    place_of(state.row.key) = place;
    states_[place] = std::move(state);
}

void Recent::clear() {
    for (core::SagaState& state : states_)
        if (state.row.key != 0) state = {};
}

}  // namespace saga::store
