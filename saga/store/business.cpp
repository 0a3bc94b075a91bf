#include "saga/store/business.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "saga/core/limits.hpp"
#include "saga/store/schema.hpp"

namespace saga::store {
namespace {

/// They answer differently on the next run, or may: datetime('now').
constexpr std::array<std::string_view, 15> kUnrepeatable{
    "random",    "randomblob", "current_date",  "current_time",      "current_timestamp",
    "date",      "time",       "datetime",      "julianday",         "strftime",
    "unixepoch", "changes",    "total_changes", "last_insert_rowid", "load_extension"};

void bind(Statement& statement, std::span<const detail::Value> args) {
    const int wanted = sqlite3_bind_parameter_count(statement.raw());
    if (static_cast<int>(args.size()) != wanted)
        throw Error(fmt::format("\"{}\" takes {} parameters and was given {}",
                                sqlite3_sql(statement.raw()), wanted, args.size()));
    for (std::size_t i = 0; i < args.size(); ++i)
        std::visit(
            [&](const auto& value) {
                if constexpr (std::is_same_v<std::remove_cvref_t<decltype(value)>, std::monostate>)
                    statement.bind(static_cast<int>(i) + 1, nullptr);
                else
                    statement.bind(static_cast<int>(i) + 1, value);
            },
            args[i]);
}

detail::Value value_of(const Rows& rows, int column) {
    switch (rows.type(column)) {
        case SQLITE_INTEGER:
            return rows.integer(column);
        case SQLITE_FLOAT:
            return rows.real(column);
        case SQLITE_NULL:
            return std::monostate{};
        default:
            return rows.text(column);
    }
}

void too_many(std::string_view sql) {
    throw Error(fmt::format("\"{}\" yields more than {} rows", sql, core::kMaxRows));
}

}  // namespace

Business::Business(Database& db) : db_(db) {
    sqlite3_set_authorizer(db_.handle(), &Business::authorize, this);
}

Business::~Business() {
    sqlite3_set_authorizer(db_.handle(), nullptr, nullptr);
}

int Business::authorize(void* self, int action, const char* first, const char* second, const char*,
                        const char*) {
    auto& business = *static_cast<Business*>(self);
    if (business.preparing_ == Use::none) return SQLITE_OK;  // the engine's own
    const auto refuse = [&](std::string why) {
        business.refused_ = std::move(why);
        return SQLITE_DENY;
    };
    constexpr auto kRowsOnly =
        "a handler reads and writes rows; tables, transactions and settings are the engine's";
    switch (action) {
        case SQLITE_SELECT:
        case SQLITE_READ:
        case SQLITE_RECURSIVE:
            return SQLITE_OK;
        case SQLITE_INSERT:
        case SQLITE_UPDATE:
        case SQLITE_DELETE:
            if (!is_engine_table(first)) return SQLITE_OK;
            if (std::string_view(first) == "sqlite_master") return refuse(kRowsOnly);
            return refuse(fmt::format("the table {} belongs to the engine", first));
        case SQLITE_FUNCTION: {
            const std::string_view name = second;
            const bool repeats =
                std::find(kUnrepeatable.begin(), kUnrepeatable.end(), name) == kUnrepeatable.end();
            if (repeats || business.preparing_ == Use::question) return SQLITE_OK;
            return refuse(
                fmt::format("{}() answers differently on the next run: a handler is a "
                            "function of database and event",
                            name));
        }
        default:
            return refuse(kRowsOnly);
    }
}

Statement& Business::prepared(std::string_view sql, Use use) {
    // The key is a copy; a literal's address would do, but `sql` may be a temporary.
    auto& statements = use == Use::question ? questions_ : statements_;
    const auto known = statements.find(std::string(sql));
    if (known != statements.end()) return *known->second;
    refused_.clear();
    preparing_ = use;
    std::unique_ptr<Statement> statement;
    try {
        statement = std::make_unique<Statement>(db_.handle(), sql);
    } catch (const Error&) {
        preparing_ = Use::none;
        if (refused_.empty()) throw;
        throw Error(fmt::format("\"{}\": {}", sql, refused_));
    }
    preparing_ = Use::none;
    return *statements.emplace(std::string(sql), std::move(statement)).first->second;
}

std::int64_t Business::exec(std::string_view sql, std::span<const detail::Value> args) {
    Statement& statement = prepared(sql, Use::handler);
    if (sqlite3_stmt_readonly(statement.raw()))
        throw Error(fmt::format("\"{}\" changes nothing: use query or find", sql));
    Rows rows(statement.raw());
    bind(statement, args);
    while (rows.next()) {
    }
    return sqlite3_changes64(db_.handle());
}

void Business::query(std::string_view sql, std::span<const detail::Value> args,
                     const detail::Port::OnRow& on_row) {
    Statement& statement = prepared(sql, Use::handler);
    if (!sqlite3_stmt_readonly(statement.raw()))
        throw Error(fmt::format("\"{}\" writes: use exec", sql));
    Rows rows(statement.raw());
    bind(statement, args);
    std::vector<detail::Value> values(static_cast<std::size_t>(rows.columns()));
    for (std::size_t count = 0; rows.next(); ++count) {
        if (count == core::kMaxRows) too_many(sql);
        for (int column = 0; column < rows.columns(); ++column)
            values[static_cast<std::size_t>(column)] = value_of(rows, column);
        if (!on_row(values)) return;
    }
}

std::string Business::json(std::string_view select, std::string_view argument) {
    Statement& statement = prepared(select, Use::question);
    if (!sqlite3_stmt_readonly(statement.raw()))
        throw Error(fmt::format("\"{}\" writes: a question only reads", select));
    Rows rows(statement.raw());
    const std::array<detail::Value, 1> args{argument};
    const bool takes = sqlite3_bind_parameter_count(statement.raw()) > 0;
    bind(statement,
         takes ? std::span<const detail::Value>(args) : std::span<const detail::Value>());
    nlohmann::ordered_json array = nlohmann::ordered_json::array();
    while (rows.next()) {
        if (array.size() == core::kMaxRows) too_many(select);
        nlohmann::ordered_json object = nlohmann::ordered_json::object();
        for (int column = 0; column < rows.columns(); ++column) {
            auto& field = object[sqlite3_column_name(statement.raw(), column)];
            switch (rows.type(column)) {
                case SQLITE_INTEGER:
                    field = rows.integer(column);
                    break;
                case SQLITE_FLOAT:
                    field = rows.real(column);
                    break;
                case SQLITE_NULL:
                    field = nullptr;
                    break;
                default:
                    field = std::string(rows.text(column));
            }
        }
        array.push_back(std::move(object));
    }
    return array.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace saga::store
