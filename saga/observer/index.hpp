// What an observer keeps of the stream, in one SQLite file: each saga's events, and how it stands.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "saga/bus/bus.hpp"
#include "saga/store/database.hpp"
#include "saga/store/statement.hpp"
#include "saga/view/listing.hpp"

namespace saga::observer {

using Letters = std::map<std::string, std::vector<view::Letter>>;  ///< by saga

/// All of it follows from the stream and the contracts: what is lost is read again. One thread at a
/// time. What writes is one transaction; after an exception nothing of it counts.
class Index {
  public:
    /// Opens the file, or makes it. One of another version is emptied. Throws Error when it is in
    /// use, or is no observer's.
    explicit Index(const std::string& path);

    /// Where in the stream it is: all up to `seq` was taken, `last` is the newest message of it.
    struct Position {
        core::StoreTime created;  ///< of the stream; epoch: nothing was read yet
        std::uint64_t seq = 0;
        core::Checkpoint last;
    };
    const Position& position() const { return position_; }

    /// Forgets everything: a stream is read from there.
    void begin_again(const Position& position);
    /// What the stream says next, and that it was read up to `read_to`. What is no event is counted
    /// and passed over.
    void take(std::span<const bus::StoredMessage> messages, std::uint64_t read_to);

    /// Judges sagas that have changed, at most so many; how many it were.
    std::size_t judge(const view::Landscape& landscape, std::size_t most);
    /// The contracts are others: every saga that has not completed is to be judged again.
    void doubt();
    /// Forgets sagas that completed or were undone and of which nothing was stored since `before`,
    /// at most so many; how many it were.
    std::size_t prune(core::StoreTime before, std::size_t most);

    /// Up to `most_bytes` of the saga's events behind `after`, in the stream's order, the first one
    /// in any case; without their subjects.
    struct Events {
        std::vector<bus::StoredMessage> events;
        bool more = false;
        bool whole = true;  ///< false: it has more events than are kept
    };
    Events events(std::string_view saga, std::uint64_t after, std::size_t most_bytes);
    std::optional<view::Standing> find(std::string_view saga);

    /// The latest sagas, `wanted.limit` of them, that stand before `older`, where it is given, in
    /// the order of a listing. By what waits in the services, too. All have to be judged.
    struct Older {
        Time started;
        std::uint64_t last_seq = 0;
    };
    view::Listing list(const view::Wanted& wanted, const std::optional<Older>& older,
                       const view::Landscape& landscape, const Letters& letters);

    std::int64_t open();  ///< sagas that have not completed
    std::int64_t junk() const { return junk_; }
    const std::string& path() const { return db_.path(); }

  private:
    struct Row {
        std::int64_t no = 0;
        view::Standing standing;
        std::uint64_t bytes = 0;
        bool whole = true, judged = false, fresh = false;
        core::StoreTime stored;  ///< the last event
    };
    struct Prepared {
        explicit Prepared(store::Database& db);
    };
    class Batch;
    static Row row_of(const store::Rows& rows);
    std::optional<Row> load(std::string_view saga);
    std::optional<Row> load(std::int64_t no);
    void write(const Row& row);
    std::vector<view::Fact> facts(std::int64_t no, view::Words& words);
    void settle(Row& row, const view::Landscape& landscape, std::span<const view::Letter> letters);
    void count(view::Listing& listing, Time since);
    void write_position();
    /// All or nothing of what `work` writes, here and in the file.
    void transaction(const std::function<void()>& work);

    store::Database db_;
    Prepared prepared_;
    store::Statement load_position_, write_position_, by_id_, by_no_, insert_, update_,
        insert_event_, events_, unjudged_, finished_, erase_, erase_events_, list_any_,
        list_completed_, list_open_, count_all_, count_open_, open_;
    Position position_;
    std::int64_t junk_ = 0, last_no_ = 0;
};

}  // namespace saga::observer
