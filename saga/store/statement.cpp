#include "saga/store/statement.hpp"

#include <cstring>

#include "saga/store/database.hpp"

namespace saga::store {

void raise(sqlite3* db, int code, std::string_view doing) {
    const std::string text =
        std::string(doing) + ": " + (db == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(db));
    switch (code & 0xFF) {
        case SQLITE_FULL:
            throw DiskFull(text);
        case SQLITE_IOERR:
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
        case SQLITE_CANTOPEN:
        case SQLITE_READONLY:
        case SQLITE_PROTOCOL:
            throw Broken(text);
        default:
            throw Error(text);
    }
}

Rows::~Rows() {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
}

bool Rows::next() {
    const int code = sqlite3_step(statement_);
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    sqlite3* db = sqlite3_db_handle(statement_);
    raise(db, sqlite3_extended_errcode(db), "a statement failed");
}

std::string_view Rows::text(int column) const {
    const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
    if (text == nullptr) return {};
    return {text, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

Bytes Rows::blob(int column) const {
    const auto* blob = static_cast<const std::byte*>(sqlite3_column_blob(statement_, column));
    return {blob, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

EventId Rows::id(int column) const {
    EventId id;
    const Bytes bytes = blob(column);
    if (bytes.size() == id.bytes.size()) std::memcpy(id.bytes.data(), bytes.data(), bytes.size());
    return id;
}

Statement::Statement(const Database& db, std::string_view sql) : Statement(db.handle(), sql) {}

Statement::Statement(sqlite3* db, std::string_view sql) {
    sqlite3_stmt* statement = nullptr;
    const char* tail = nullptr;
    const int code = sqlite3_prepare_v3(db, sql.data(), static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT, &statement, &tail);
    statement_.reset(statement);
    if (code != SQLITE_OK) raise(db, code, "cannot prepare \"" + std::string(sql) + "\"");
    if (statement == nullptr) throw Error("an empty SQL statement");
    const std::string_view rest = sql.substr(static_cast<std::size_t>(tail - sql.data()));
    if (rest.find_first_not_of(" \t\r\n;") != std::string_view::npos)
        throw Error("one SQL statement at a time: \"" + std::string(sql) + "\"");
}

void Statement::check(int code) const {
    if (code != SQLITE_OK)
        raise(sqlite3_db_handle(statement_.get()), code, sqlite3_sql(statement_.get()));
}

// Bound values outlive the statement's run: they are the caller's arguments, and Rows clears the
// bindings. Empty text and blobs are bound as such, not as NULL.
void Statement::bind(int at, std::string_view text) {
    check(sqlite3_bind_text64(statement_.get(), at, text.empty() ? "" : text.data(), text.size(),
                              SQLITE_STATIC, SQLITE_UTF8));
}
void Statement::bind(int at, Bytes blob) {
    check(blob.empty()
              ? sqlite3_bind_zeroblob(statement_.get(), at, 0)
              : sqlite3_bind_blob64(statement_.get(), at, blob.data(), blob.size(), SQLITE_STATIC));
}
void Statement::bind(int at, const EventId& id) {
    bind(at, std::as_bytes(std::span(id.bytes)));
}
void Statement::bind(int at, double number) {
    check(sqlite3_bind_double(statement_.get(), at, number));
}
void Statement::bind(int at, std::nullptr_t) {
    check(sqlite3_bind_null(statement_.get(), at));
}
void Statement::bind_integer(int at, std::int64_t number) {
    check(sqlite3_bind_int64(statement_.get(), at, number));
}

std::int64_t number(Statement& query) {
    Rows rows = query.query();
    return rows.next() ? rows.integer(0) : 0;
}

std::optional<Time> time_or_none(Statement& query) {
    Rows rows = query.query();
    if (!rows.next() || rows.type(0) == SQLITE_NULL) return std::nullopt;
    return rows.time(0);
}

}  // namespace saga::store
