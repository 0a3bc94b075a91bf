// The sagas that were last looked at, as they stand in the tables: most events of a saga come soon
// after the one before.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "saga/core/saga.hpp"

namespace saga::store {

/// One place for each saga, which others share: who comes later has it.
class Recent {
  public:
    /// `places` is a power of two.
    explicit Recent(std::size_t places);

    /// Takes it out: whoever has it may change it, and what became of it is not known here until it
    /// is put again.
    std::optional<core::SagaState> take(std::string_view id);
    std::optional<core::SagaState> take(std::int64_t key);
    void put(core::SagaState state);
    void clear();

  private:
    std::size_t place_of(std::string_view id) const;
    std::size_t& place_of(std::int64_t key);

    std::vector<core::SagaState> states_;  ///< by id; key 0: none
    std::vector<std::size_t> places_;      ///< by key: where it stands, if it does
};

}  // namespace saga::store
