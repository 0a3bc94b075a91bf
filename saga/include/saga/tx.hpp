// What a handler may do with its service's database.
#pragma once

#include <initializer_list>
#include <optional>
#include <saga/detail/event_type.hpp>
#include <saga/detail/values.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace saga {

/// Reads the service's database and says where we are in the saga. Never outlives its handler.
/// Parameters bind to ?1, ?2, ...: integers, double, strings, std::optional of these. Statements
/// are prepared once and kept, so `sql` is best a literal. Throws Error on an SQL error, when a
/// column is not of the type asked for, and when a query yields more than 10,000 rows.
class View {
  public:
    explicit View(detail::Port& port) : port_(port) {}

    /// All rows, each a std::tuple<Columns...>, or the plain value where there is one column. A
    /// column that may be NULL is a std::optional.
    template <class... Columns, class... Args>
    std::vector<detail::Row<Columns...>> query(std::string_view sql, const Args&... args) const {
        std::vector<detail::Row<Columns...>> rows;
        port_.query(sql, std::array<detail::Value, sizeof...(Args)>{detail::bind(args)...},
                    [&](std::span<const detail::Value> values) {
                        rows.push_back(detail::row<Columns...>(values));
                        return true;
                    });
        return rows;
    }

    /// The first row, if any.
    template <class... Columns, class... Args>
    std::optional<detail::Row<Columns...>> find(std::string_view sql, const Args&... args) const {
        std::optional<detail::Row<Columns...>> found;
        port_.query(sql, std::array<detail::Value, sizeof...(Args)>{detail::bind(args)...},
                    [&](std::span<const detail::Value> values) {
                        found = detail::row<Columns...>(values);
                        return false;
                    });
        return found;
    }

    /// Whether this service has published or handled an E in this saga. A command sees its own
    /// accepted events at once, before their step has run. Forgotten when the finished saga is
    /// pruned.
    template <Event E>
    bool seen() const {
        return port_.seen(detail::type_of<E>().name);
    }

    /// The time in the envelope of the event that started the step, of a join the latest one; an
    /// undo and an expect see the time of the event that they return. The same on every run that
    /// counts.
    Time now() const { return port_.now(); }
    const std::string& saga_id() const { return port_.saga_id(); }  ///< [A-Za-z0-9_-]{1,64}

  protected:
    detail::Port& port_;
};

/// One local transaction. It cannot commit: the engine does, together with journal, outbox and
/// cursor.
class Tx : public View {
  public:
    using View::View;

    /// Runs one INSERT, UPDATE or DELETE; returns the number of rows it changed.
    template <class... Args>
    std::int64_t exec(std::string_view sql, const Args&... args) {
        return port_.exec(sql, std::array<detail::Value, sizeof...(Args)>{detail::bind(args)...});
    }

    /// Holds the entities for this saga until it is finished here: has ended, or is undone. If
    /// another saga holds one, or asked for one before and waits, the handler does not return from
    /// here: it is rolled back, its event parks, and is woken when its turn comes; after its last
    /// attempt (40, some 7 hours) it is dead. All at once, or none; a second lock() in one handler
    /// throws std::logic_error. A saga that holds a lock waits for holders alone. A step that calls
    /// is asked again until its settle() can lock: lock in a step before. An undo holds what its
    /// step held; it waits for nothing and takes nothing, nor does an expect.
    void lock(std::initializer_list<std::string_view> entities) {
        port_.lock({entities.begin(), entities.size()});
    }
    void lock(const std::vector<std::string>& entities) {
        const std::vector<std::string_view> names(entities.begin(), entities.end());
        port_.lock(names);
    }
};

}  // namespace saga
