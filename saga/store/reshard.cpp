#include "saga/store/reshard.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "saga/store/schema.hpp"

namespace saga::store {
namespace {

/// The engine's tables of sagas: which column numbers their rows, where one does, and which rows
/// are the shard's. `saga` is a key of the source's table of sagas.
struct EngineTable {
    std::string_view name, numbered, where;
};
constexpr std::string_view kOfSaga = "saga IN (SELECT saga FROM temp.taken)";
constexpr EngineTable kTables[] = {
    {"sagas", "", kOfSaga},
    {"journal", "", kOfSaga},
    {"arrived", "", kOfSaga},
    {"inbox", "", kOfSaga},
    {"outbox", "seq", "shard_takes_subject(subject)"},
    {"parked", "position", kOfSaga},
    {"aside", "position",
     "CASE saga_id WHEN '' THEN shard_takes_subject(subject) ELSE shard_takes(saga_id) END"},
    {"timers", "", kOfSaga},
    {"calls", "call", kOfSaga},
    {"locks", "", kOfSaga},
    {"lock_queue", "", kOfSaga},
    {"commands", "", kOfSaga},
};

std::string in_quotes(std::string_view name) {
    std::string text = "\"";
    for (const char c : name) text.append(c == '"' ? 2 : 1, c);
    return text + '"';
}

std::vector<std::string> column(const Database& db, const std::string& select) {
    Statement statement(db, select);
    Rows rows = statement.query();
    std::vector<std::string> found;
    while (rows.next()) found.emplace_back(rows.text(0));
    return found;
}

std::int64_t value(const Database& db, const std::string& select) {
    Statement statement(db, select);
    return number(statement);
}

/// Those that a row is written with.
std::vector<std::string> columns_of(const Database& db, std::string_view table) {
    return column(db, fmt::format("SELECT name FROM pragma_table_info('{}') ORDER BY cid", table));
}

void shard_takes(sqlite3_context* context, int, sqlite3_value** values, bool by_subject) {
    const auto& shard = *static_cast<const core::Shard*>(sqlite3_user_data(context));
    const auto* text = reinterpret_cast<const char*>(sqlite3_value_text(values[0]));
    if (text == nullptr) return sqlite3_result_null(context);
    const std::string_view word(text, static_cast<std::size_t>(sqlite3_value_bytes(values[0])));
    sqlite3_result_int(context, by_subject ? shard.takes_subject(word) : shard.takes(word));
}

class Taking {
  public:
    Taking(Store& target, const core::Shard& shard, std::span<const detail::TableBySaga> tables)
        : db_(target.db()), shard_(shard), tables_(tables) {
        define("shard_takes", [](sqlite3_context* context, int count, sqlite3_value** values) {
            shard_takes(context, count, values, false);
        });
        define("shard_takes_subject",
               [](sqlite3_context* context, int count, sqlite3_value** values) {
                   shard_takes(context, count, values, true);
               });
        // The rows say already what the author's triggers made of them.
        sqlite3_db_config(db_.handle(), SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
        db_.exec("CREATE TEMP TABLE taken (saga INTEGER PRIMARY KEY)");
    }

    /// Rows of several sources get numbers that none of them has had: an operator's word that is
    /// read again names none of them.
    void number_behind(std::span<const std::string> sources) {
        for (const std::string& source : sources) {
            attach(source);
            take_numbers();
            db_.exec("DETACH source");
        }
    }

    void take(const std::string& source) {
        attach(source);
        db_.begin();
        try {
            db_.exec("PRAGMA defer_foreign_keys=ON");  // tables come in no order of theirs
            require_level();
            copy();
            require_parents();
        } catch (const Broken&) {
            db_.rollback();
            throw;
        } catch (const Error& failure) {
            db_.rollback();
            throw Error(fmt::format("{} cannot be moved: {}", source, failure.what()));
        }
        db_.commit();
        db_.exec("DETACH source");
        first_ = false;
    }

    const RowCounts& taken() const { return counts_; }

  private:
    void attach(const std::string& source) { Statement(db_, "ATTACH ?1 AS source").exec(source); }

    void take_numbers() {
        db_.exec(
            "UPDATE main.sqlite_sequence AS ours SET seq = max(ours.seq, theirs.seq) "
            "FROM source.sqlite_sequence AS theirs WHERE theirs.name = ours.name;"
            "INSERT INTO main.sqlite_sequence (name, seq) SELECT name, seq "
            "FROM source.sqlite_sequence "
            "WHERE name NOT IN (SELECT name FROM main.sqlite_sequence)");
    }

    void define(const char* name, void (*function)(sqlite3_context*, int, sqlite3_value**)) {
        const int code =
            sqlite3_create_function(db_.handle(), name, 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC,
                                    &shard_, function, nullptr, nullptr);
        SAGA_ASSERT(code == SQLITE_OK);
    }

    std::string meta(std::string_view name, std::string_view schema = "source") const {
        const auto found =
            column(db_, fmt::format("SELECT value FROM {}.meta WHERE name = '{}'", schema, name));
        return found.empty() ? "" : found.front();
    }

    /// What a clean stop leaves, of this build's tables.
    void require_level() const {
        if (value(db_, "PRAGMA source.user_version") != value(db_, "PRAGMA main.user_version"))
            throw Error("another release wrote it: start it with this one and stop it first");
        const bool level = meta(Meta::kClean) == "1" && meta(Meta::kCatchUp).empty() &&
                           value(db_, "SELECT count(*) FROM source.attempts") == 0 &&
                           value(db_, "SELECT count(*) FROM source.recorded") == 0 &&
                           value(db_, "SELECT created FROM source.cursor") != 0;
        if (!level)
            throw Error(fmt::format(
                "it was not stopped cleanly when it was ready: start it, wait until it is, and "
                "stop it first (SIGTERM)"));
        if (value(db_,
                  "SELECT count(*) FROM source.outbox WHERE stream_seq IS NULL AND "
                  "subject LIKE 'saga.%.done.OperatorActed.%'") != 0)
            throw Error("an operator's word is on its way: start it, and stop it a little later");
        if (first_) return;
        if (value(db_, "SELECT created FROM source.cursor") !=
            value(db_, "SELECT created FROM main.cursor"))
            throw Error("it has read another stream than the shards before it");
        for (const char* name : {Meta::kKey, Meta::kReactions})
            if (meta(name) != meta(name, "main"))
                throw Error(fmt::format("its {} is another than the other shards'", name));
    }

    /// Else the commit would find out, which must not fail.
    void require_parents() const {
        const auto orphans = column(db_, "PRAGMA main.foreign_key_check");
        if (!orphans.empty())
            throw Error(fmt::format(
                "rows of {} refer to those of another saga, which another shard has: without that "
                "foreign key it can be split",
                orphans.front()));
    }

    /// A lock holds within its shard: two of them may have one each.
    void require_one_holder() const {
        const auto twice = column(db_,
                                  "SELECT entity FROM source.locks WHERE saga IN (SELECT saga FROM "
                                  "temp.taken) AND entity IN (SELECT entity FROM main.locks)");
        if (!twice.empty())
            throw Error(
                fmt::format("{} is locked in two shards: start them, and stop them when "
                            "these sagas have finished",
                            twice.front()));
    }

    void copy() {
        db_.exec("DELETE FROM temp.taken");
        db_.exec("INSERT INTO temp.taken SELECT saga FROM source.sagas WHERE shard_takes(id)");
        require_one_holder();
        sagas_ = value(db_, "SELECT coalesce(max(saga), 0) FROM main.sagas");
        positions_ = last_number("parked");
        for (const EngineTable& table : kTables)
            copy_rows(table.name, table.numbered, std::string(table.where));
        for (const detail::TableBySaga& table : tables_)
            copy_rows(table.name, "", fmt::format("shard_takes({})", in_quotes(table.column)));
        take_numbers();
        position();
    }

    /// The highest number that a row of the table has had here: none is given twice.
    std::int64_t last_number(std::string_view table) const {
        return value(db_, fmt::format("SELECT coalesce(max(seq), 0) FROM main.sqlite_sequence "
                                      "WHERE name = '{}'",
                                      table));
    }

    void copy_rows(std::string_view table, std::string_view numbered, const std::string& where) {
        const bool engine = is_engine_table(table);
        std::vector<std::string> names, values;
        for (const std::string& name : columns_of(db_, table)) {
            names.push_back(in_quotes(name));
            std::string from = in_quotes(name);
            if (engine && name == "saga")  // 0 is none, of a notice about what has no saga here
                from = fmt::format("iif(saga = 0, 0, saga + {})", sagas_);
            else if (engine && name == numbered)
                from = fmt::format("{} + {}", in_quotes(name), last_number(table));
            else if (table == "lock_queue" && name == "position")
                from = fmt::format("position + {}", positions_);
            values.push_back(std::move(from));
        }
        db_.exec(fmt::format("INSERT INTO main.{0} ({1}) SELECT {2} FROM source.{0} WHERE {3}",
                             in_quotes(table), fmt::join(names, ", "), fmt::join(values, ", "),
                             where));
        counts_[std::string(table)] += value(db_, "SELECT changes()");
    }

    /// Where the one stands that has read least; what was forgotten in one is forgotten here.
    void position() {
        const bool behind = value(db_, "SELECT s.seq < m.seq FROM source.cursor s, main.cursor m");
        if (first_ || behind)
            db_.exec(fmt::format(
                "DELETE FROM main.cursor; INSERT INTO main.cursor SELECT * FROM source.cursor;"
                "DELETE FROM main.checkpoints;"
                "INSERT INTO main.checkpoints SELECT * FROM source.checkpoints;"
                "DELETE FROM main.meta WHERE name = '{0}';"
                "INSERT INTO main.meta SELECT * FROM source.meta WHERE name = '{0}'",
                Meta::kHoles));
        db_.exec(fmt::format(
            "INSERT INTO main.meta SELECT name, value FROM source.meta "
            "WHERE name IN ('{}', '{}', '{}', '{}', '{}') ON CONFLICT DO UPDATE SET value = "
            "max(value, excluded.value)",
            Meta::kKey, Meta::kReactions, Meta::kJournalFrom, Meta::kOutboxFrom, Meta::kEpoch));
        // What stands above the cursor is read there, or was lost by the broker and is sent again.
        db_.exec(
            "UPDATE main.outbox SET stream_seq = NULL WHERE stream_seq > "
            "(SELECT seq FROM main.cursor) AND subject NOT GLOB 'saga-dlq.*'");
    }

    Database& db_;
    core::Shard shard_;
    std::span<const detail::TableBySaga> tables_;
    RowCounts counts_;
    std::int64_t sagas_ = 0, positions_ = 0;  // added to the source's keys and positions
    bool first_ = true;
};

}  // namespace

namespace {

/// A number or a name that is unique in one shard is not in two: it has to name the saga, too.
void require_apart(const Database& db, const detail::TableBySaga& table) {
    std::vector<std::vector<std::string>> uniques{column(
        db, fmt::format("SELECT name FROM pragma_table_info('{}') WHERE pk > 0", table.name))};
    for (const std::string& index : column(
             db,
             fmt::format("SELECT name FROM pragma_index_list('{}') WHERE \"unique\"", table.name)))
        uniques.push_back(
            column(db, fmt::format("SELECT name FROM pragma_index_info('{}')", index)));
    for (const auto& unique : uniques)
        if (!unique.empty() && std::ranges::count(unique, table.column) == 0)
            throw Error(
                fmt::format("the table {} has a key ({}) that does not name the saga, so "
                            "two shards would give it out twice: make {} part of it",
                            table.name, fmt::join(unique, ", "), table.column));
}

/// A saga's id in a column of numbers would be one: 0042 is 42 there, and another shard's.
void require_text(const Database& db, const detail::TableBySaga& table) {
    const auto types = column(
        db, fmt::format("SELECT type FROM pragma_table_info('{}') WHERE name = '{}' AND type != ''",
                        table.name, table.column));
    if (types.empty()) return;
    const auto kept =
        column(db, fmt::format("SELECT typeof(CAST('0042' AS {}))", types.front())).front();
    if (kept == "integer" || kept == "real")
        throw Error(
            fmt::format("by_saga: the column {} of the table {} makes numbers of saga ids: "
                        "declare it TEXT",
                        table.column, table.name));
}

}  // namespace

void require_by_saga(const Database& db, std::span<const detail::TableBySaga> tables) {
    for (const std::string& table :
         column(db,
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE "
                "'sqlite\\_%' ESCAPE '\\' ORDER BY name")) {
        if (is_engine_table(table)) continue;
        const auto said = std::ranges::find(tables, table, &detail::TableBySaga::name);
        if (said == tables.end())
            throw Error(
                fmt::format("the table {0} does not say whose its rows are, so this "
                            "service cannot be split: service.by_saga(\"{0}\", "
                            "\"the column of the saga id\")",
                            table));
        if (std::ranges::count(columns_of(db, table), said->column) == 0)
            throw Error(fmt::format("by_saga: the table {} has no column {}", table, said->column));
        require_text(db, *said);
        require_apart(db, *said);
    }
}

RowCounts take_sagas(Store& target, const core::Shard& shard, std::span<const std::string> sources,
                     std::span<const detail::TableBySaga> tables) {
    Taking taking(target, shard, tables);
    if (sources.size() > 1) taking.number_behind(sources);
    for (const std::string& source : sources) taking.take(source);
    target.rollback();  // what it keeps in memory is read anew
    return taking.taken();
}

RowCounts count_rows(const Database& db, std::span<const detail::TableBySaga> tables) {
    RowCounts counts;
    const auto count = [&](std::string_view table) {
        counts[std::string(table)] =
            value(db, fmt::format("SELECT count(*) FROM {}", in_quotes(table)));
    };
    for (const EngineTable& table : kTables) count(table.name);
    for (const detail::TableBySaga& table : tables) count(table.name);
    return counts;
}

}  // namespace saga::store
