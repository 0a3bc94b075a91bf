#include "saga/store/position.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>

#include "saga/store/database.hpp"

namespace saga::store {
namespace {

core::StoreTime store_time(const Rows& rows, int column) {
    return core::StoreTime(std::chrono::nanoseconds(rows.integer(column)));
}
std::int64_t ns(core::StoreTime time) {
    return time.time_since_epoch().count();
}

std::string text_of(const std::vector<std::uint64_t>& holes) {
    return fmt::format("{}", fmt::join(holes, ","));
}
std::vector<std::uint64_t> holes_of(std::string_view text) {
    std::vector<std::uint64_t> holes;
    for (const char* at = text.data(); at < text.data() + text.size();) {
        std::uint64_t hole = 0;
        const auto [end, error] = std::from_chars(at, text.data() + text.size(), hole);
        if (error != std::errc{}) throw Broken("meta.holes holds what is no number");
        holes.push_back(hole);
        at = end + 1;
    }
    return holes;
}

}  // namespace

Cursor::Cursor(const Database& db)
    : load_(db, "SELECT created, seq, deleted, stored_at FROM cursor"),
      load_checkpoints_(db, "SELECT seq, stored_at, event_id FROM checkpoints ORDER BY seq"),
      holes_(db, "SELECT value FROM meta WHERE name = ?1"),
      write_holes_(db, "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = ?2"),
      write_(db, "UPDATE cursor SET created = ?1, seq = ?2, deleted = ?3, stored_at = ?4"),
      insert_(db, "INSERT OR REPLACE INTO checkpoints VALUES (?1, ?2, ?3)"),
      erase_(db, "DELETE FROM checkpoints WHERE seq = ?1"),
      erase_above_(db, "DELETE FROM checkpoints WHERE seq > ?1") {
    reload();
}

void Cursor::move_to(std::uint64_t seq, const std::optional<core::Checkpoint>& last) {
    position_.seq = seq;
    if (last) {
        stored_at_ = last->stored_at;
        checkpoints_.add(*last);
        insert_.exec(last->seq, ns(last->stored_at), last->id);
        for (const std::uint64_t old : checkpoints_.take_superfluous()) erase_.exec(old);
    }
    write();
}

void Cursor::adopt(core::Position position) {
    position_ = std::move(position);
    write_holes_.exec(Meta::kHoles, text_of(position_.holes));
    write();
}

void Cursor::rewind_to(core::Position position) {
    adopt(std::move(position));
    checkpoints_.forget_above(position_.seq);
    erase_above_.exec(position_.seq);
}

void Cursor::reload() {
    {
        Rows rows = load_.query();
        SAGA_ASSERT(rows.next());
        position_ = {store_time(rows, 0),
                     static_cast<std::uint64_t>(rows.integer(1)),
                     static_cast<std::uint64_t>(rows.integer(2)),
                     {}};
        stored_at_ = store_time(rows, 3);
    }
    if (Rows rows = holes_.query(Meta::kHoles); rows.next())
        position_.holes = holes_of(rows.text(0));
    checkpoints_ = {};
    Rows rows = load_checkpoints_.query();
    while (rows.next())
        checkpoints_.add(
            {static_cast<std::uint64_t>(rows.integer(0)), store_time(rows, 1), rows.id(2)});
}

void Cursor::write() {
    write_.exec(ns(position_.created), position_.seq, position_.deleted, ns(stored_at_));
}

Meta::Meta(const Database& db)
    : load_(db, "SELECT name, value FROM meta"),
      set_(db, "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = ?2"),
      erase_(db, "DELETE FROM meta WHERE name = ?1") {
    reload();
}

void Meta::reload() {
    values_.clear();
    Rows rows = load_.query();
    while (rows.next()) {
        Value& value = values_[std::string(rows.text(0))];
        if (rows.type(1) == SQLITE_INTEGER)
            value = rows.integer(1);
        else
            value = std::string(rows.text(1));
    }
}

template <class T>
const T* Meta::find(std::string_view name) const {
    const auto found = values_.find(name);
    if (found == values_.end()) return nullptr;
    const T* value = std::get_if<T>(&found->second);
    if (value == nullptr) throw Broken("meta." + std::string(name) + " is of another type");
    return value;
}

std::optional<std::string> Meta::text(std::string_view name) const {
    const auto* value = find<std::string>(name);
    return value == nullptr ? std::nullopt : std::optional(*value);
}

std::int64_t Meta::number(std::string_view name, std::int64_t otherwise) const {
    const auto* value = find<std::int64_t>(name);
    return value == nullptr ? otherwise : *value;
}

void Meta::set(std::string_view name, std::string_view value) {
    set_.exec(name, value);
    values_.insert_or_assign(std::string(name), std::string(value));
}
void Meta::set(std::string_view name, std::int64_t value) {
    set_.exec(name, value);
    values_.insert_or_assign(std::string(name), value);
}
void Meta::erase(std::string_view name) {
    erase_.exec(name);
    if (const auto found = values_.find(name); found != values_.end()) values_.erase(found);
}

Attempts::Attempts(const Database& db)
    : add_(db,
           "INSERT INTO attempts VALUES (?1, ?2) ON CONFLICT DO UPDATE SET times = times + ?2 "
           "RETURNING times"),
      times_(db, "SELECT times FROM attempts WHERE item = ?1"),
      erase_(db, "DELETE FROM attempts WHERE item = ?1"),
      clear_(db, "DELETE FROM attempts") {}

int Attempts::add(std::string_view item, int more) {
    Rows rows = add_.query(item, more);
    SAGA_ASSERT(rows.next());
    return static_cast<int>(rows.integer(0));
}

int Attempts::times(std::string_view item) {
    Rows rows = times_.query(item);
    return rows.next() ? static_cast<int>(rows.integer(0)) : 0;
}

void Attempts::erase(std::string_view item) {
    erase_.exec(item);
}
void Attempts::clear() {
    clear_.exec();
}

}  // namespace saga::store
