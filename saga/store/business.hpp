// The handlers' door to the database: their statements, and nothing that is the engine's.
#pragma once

#include <functional>
#include <memory>
#include <saga/detail/values.hpp>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "saga/store/database.hpp"
#include "saga/store/statement.hpp"

namespace saga::store {

/// Runs handlers' SQL. Refused with saga::Error: BEGIN, COMMIT, SAVEPOINT, ATTACH, PRAGMA, changes
/// of tables, writes to the engine's tables, and functions that do not repeat themselves (random(),
/// datetime()). Statements are prepared once and kept.
class Business {
  public:
    explicit Business(Database& db);
    ~Business();
    Business(const Business&) = delete;
    Business& operator=(const Business&) = delete;

    std::int64_t exec(std::string_view sql, std::span<const detail::Value> args);
    /// Throws when the statement writes, or yields more than kMaxRows rows.
    void query(std::string_view sql, std::span<const detail::Value> args,
               const detail::Port::OnRow& on_row);
    /// The rows as a JSON array of objects; one text parameter. What only looks may look at the
    /// clock.
    std::string json(std::string_view select, std::string_view argument);

  private:
    enum class Use : std::uint8_t { none, handler, question };
    using Statements = std::unordered_map<std::string, std::unique_ptr<Statement>>;
    Statement& prepared(std::string_view sql, Use use);
    static int authorize(void* self, int action, const char* first, const char* second,
                         const char* database, const char* trigger);

    Database& db_;
    Statements statements_, questions_;
    Use preparing_ = Use::none;
    std::string refused_;
};

}  // namespace saga::store
