// Sagas of a service that is stopped, moved to the databases of other shards.
#pragma once

#include <cstdint>
#include <map>
#include <saga/detail/contract.hpp>
#include <span>
#include <string>

#include "saga/core/shard.hpp"
#include "saga/store/store.hpp"

namespace saga::store {

/// Rows by table.
using RowCounts = std::map<std::string, std::int64_t>;

/// Throws Error, in one sentence that says what to do, unless every table of the author's says by
/// which column its rows belong to a saga, keeps the ids there as they are, and has no key without.
void require_by_saga(const Database& db, std::span<const detail::TableBySaga> tables);

/// Copies into `target`, a database without a saga, all that the databases at `sources` hold of the
/// sagas of `shard`. It reads the stream from where the one that lags behind the others stands;
/// what that repeats is known in it. The sources, one service's, must have been stopped cleanly and
/// stay so. How many rows came into each table. Throws Error, and then `target` is of no use.
RowCounts take_sagas(Store& target, const core::Shard& shard, std::span<const std::string> sources,
                     std::span<const detail::TableBySaga> tables);

/// What take_sagas() is to move of one database, over all shards together.
RowCounts count_rows(const Database& db, std::span<const detail::TableBySaga> tables);

}  // namespace saga::store
