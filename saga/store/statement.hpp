// A prepared statement that cannot be left open: rows live in a guard that resets it.
#pragma once

#include <sqlite3.h>

#include <memory>
#include <optional>
#include <saga/error.hpp>
#include <saga/event.hpp>
#include <string>
#include <string_view>
#include <type_traits>

namespace saga::store {

class Database;

/// Throws what `code` means: DiskFull, Broken, or saga::Error with SQLite's own words.
[[noreturn]] void raise(sqlite3* db, int code, std::string_view doing);

/// What a statement yields, row after row. Views are valid until the next next().
class Rows {
  public:
    explicit Rows(sqlite3_stmt* statement) : statement_(statement) {}
    ~Rows();
    Rows(const Rows&) = delete;
    Rows& operator=(const Rows&) = delete;

    bool next();  ///< Throws as raise().
    int columns() const { return sqlite3_column_count(statement_); }
    int type(int column) const { return sqlite3_column_type(statement_, column); }
    std::int64_t integer(int column) const { return sqlite3_column_int64(statement_, column); }
    double real(int column) const { return sqlite3_column_double(statement_, column); }
    std::string_view text(int column) const;
    Bytes blob(int column) const;
    EventId id(int column) const;  ///< Zero where it is NULL or empty.
    std::vector<std::byte> bytes(int column) const {
        const Bytes view = blob(column);
        return {view.begin(), view.end()};
    }
    Time time(int column) const { return Time(std::chrono::microseconds(integer(column))); }

  private:
    sqlite3_stmt* statement_;
};

/// How a step's run stands in a key: empty where the step runs once in a saga.
inline Bytes run_key(const EventId& run) {
    return run ? std::as_bytes(std::span(run.bytes)) : Bytes{};
}

class Statement {
  public:
    Statement(const Database& db, std::string_view sql);
    /// For statements of handlers: `sql` is theirs, so is the blame.
    Statement(sqlite3* db, std::string_view sql);

    /// Runs it to its end; the number of rows it changed.
    template <class... Args>
    std::int64_t exec(const Args&... args) {
        Rows rows = query(args...);
        while (rows.next()) {
        }
        return sqlite3_changes64(sqlite3_db_handle(statement_.get()));
    }
    /// Of an INSERT that made a row: its rowid. (RETURNING makes a table for it first.)
    template <class... Args>
    std::int64_t insert(const Args&... args) {
        const std::int64_t made = exec(args...);
        SAGA_ASSERT(made == 1);
        return sqlite3_last_insert_rowid(sqlite3_db_handle(statement_.get()));
    }
    template <class... Args>
    Rows query(const Args&... args) {
        int at = 0;
        (bind(++at, args), ...);
        return Rows(statement_.get());
    }

    void bind(int at, std::string_view text);
    void bind(int at, Bytes blob);
    void bind(int at, const EventId& id);
    void bind(int at, double number);
    void bind(int at, std::nullptr_t);
    void bind(int at, Time time) { bind(at, time.time_since_epoch().count()); }
    void bind(int at, const char* text) { bind(at, std::string_view(text)); }
    void bind(int at, const std::string& text) { bind(at, std::string_view(text)); }
    void bind(int at, const std::vector<std::byte>& blob) { bind(at, Bytes(blob)); }
    template <class Number>
    requires std::is_integral_v<Number> || std::is_enum_v<Number>
    void bind(int at, Number number) { bind_integer(at, static_cast<std::int64_t>(number)); }
    template <class T>
    void bind(int at, const std::optional<T>& value) {
        value ? bind(at, *value) : bind(at, nullptr);
    }

    sqlite3_stmt* raw() const { return statement_.get(); }

  private:
    struct Finalize {
        void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
    };
    void bind_integer(int at, std::int64_t number);
    void check(int code) const;
    std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

/// Of a query of one number: it, or 0.
std::int64_t number(Statement& query);
/// Of a query of one time: it, or none where it is NULL.
std::optional<Time> time_or_none(Statement& query);

}  // namespace saga::store
