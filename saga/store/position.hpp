// Where we are in the stream, and the few facts that belong to the file as a whole.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "saga/core/history.hpp"
#include "saga/store/statement.hpp"

namespace saga::store {

/// The position commits in the transaction of the effects: nothing else may move it.
class Cursor {
  public:
    explicit Cursor(const Database& db);

    const core::Position& position() const { return position_; }
    core::StoreTime last_stored_at() const { return stored_at_; }
    const core::Checkpoints& checkpoints() const { return checkpoints_; }

    /// All up to `seq` is handled; `last` when that was a message.
    void move_to(std::uint64_t seq, const std::optional<core::Checkpoint>& last);
    /// Begins with a stream that was never read, or knows its holes anew.
    void adopt(core::Position position);
    /// Back to `seq`: checkpoints above it go.
    void rewind_to(core::Position position);
    /// After a rollback.
    void reload();

  private:
    void write();
    Statement load_, load_checkpoints_, holes_, write_holes_, write_, insert_, erase_, erase_above_;
    core::Position position_;
    core::StoreTime stored_at_;
    core::Checkpoints checkpoints_;
};

/// Names are the engine's: see the constants. Kept in memory too: some are asked for at each item.
class Meta {
  public:
    static constexpr auto kDbId = "db_id";                ///< a UUID, made with the file
    static constexpr auto kEpoch = "epoch";               ///< of ownership
    static constexpr auto kKey = "key";                   ///< the id key's fingerprint
    static constexpr auto kClean = "clean";               ///< 1: the last stop was
    static constexpr auto kJournalFrom = "journal_from";  ///< sagas before it were forgotten
    static constexpr auto kOutboxFrom = "outbox_from";    ///< events before it were forgotten
    static constexpr auto kCatchUp = "catch_up";          ///< up to this sequence; absent: level
    static constexpr auto kReactions = "reactions";       ///< those that have read the stream
    static constexpr auto kHoles = "holes";               ///< Cursor alone reads and writes them

    explicit Meta(const Database& db);
    std::optional<std::string> text(std::string_view name) const;
    std::int64_t number(std::string_view name, std::int64_t otherwise = 0) const;
    void set(std::string_view name, std::string_view value);
    void set(std::string_view name, std::int64_t value);
    void erase(std::string_view name);
    /// After a rollback.
    void reload();

  private:
    using Value = std::variant<std::int64_t, std::string>;
    /// Null without one. Throws Broken where it is no T.
    template <class T>
    const T* find(std::string_view name) const;
    Statement load_, set_, erase_;
    std::map<std::string, Value, std::less<>> values_;
};

/// After an unclean stop: how often each item was on the table when the process died.
class Attempts {
  public:
    explicit Attempts(const Database& db);
    /// Counts one more, or so many; how many that makes.
    int add(std::string_view item, int more = 1);
    int times(std::string_view item);
    void erase(std::string_view item);
    void clear();

  private:
    Statement add_, times_, erase_, clear_;
};

}  // namespace saga::store
