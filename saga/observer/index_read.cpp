// How sagas stand, and what is asked of them.
#include <algorithm>
#include <set>

#include "saga/observer/index.hpp"

namespace saga::observer {

using view::Course;
using view::Standing;

/// Without what was not kept: at least its number and whether it failed are known.
void settle_cut(Standing& standing) {
    if (standing.completed()) return;
    standing.course = standing.failed ? Course::undoing : Course::running;
    standing.waits_for.clear();
    standing.waits_since = {};
}

std::vector<view::Fact> Index::facts(std::int64_t no, view::Words& words) {
    std::vector<view::Fact> found;
    store::Rows rows = events_.query(no, 0);
    while (rows.next()) {
        const std::vector<std::byte> bytes = rows.bytes(2);
        const auto read = core::decode(bytes);
        const auto* envelope = std::get_if<core::Envelope>(&read);
        SAGA_ASSERT(envelope != nullptr);
        const core::StoreTime stored(std::chrono::nanoseconds(rows.integer(1)));
        const auto seq = static_cast<std::uint64_t>(rows.integer(0));
        found.push_back(view::fact_of({bytes, *envelope, seq, stored}, words));
    }
    return found;
}

void Index::settle(Row& row, const view::Landscape& landscape,
                   std::span<const view::Letter> letters) {
    view::Words words;
    if (row.whole)
        row.standing.settle(view::judge(facts(row.no, words), landscape, letters));
    else
        settle_cut(row.standing);
    row.judged = true;
}

std::size_t Index::judge(const view::Landscape& landscape, std::size_t most) {
    std::vector<std::int64_t> doubtful;
    {
        store::Rows rows = unjudged_.query(most);
        while (rows.next()) doubtful.push_back(rows.integer(0));
    }
    if (doubtful.empty()) return 0;
    transaction([&] {
        for (const std::int64_t no : doubtful) {
            auto row = load(no);
            SAGA_ASSERT(row);
            settle(*row, landscape, {});
            write(*row);
        }
    });
    return doubtful.size();
}

std::optional<Standing> Index::find(std::string_view saga) {
    auto row = load(saga);
    return row ? std::optional(std::move(row->standing)) : std::nullopt;
}

Index::Events Index::events(std::string_view saga, std::uint64_t after, std::size_t most_bytes) {
    Events found;
    const auto row = load(saga);
    if (!row) return found;
    found.whole = row->whole;
    std::size_t bytes = 0;
    store::Rows rows = events_.query(row->no, after);
    while (rows.next()) {
        bytes += rows.blob(2).size();
        if (!found.events.empty() && bytes > most_bytes) {
            found.more = true;
            return found;
        }
        found.events.push_back({{},
                                rows.bytes(2),
                                static_cast<std::uint64_t>(rows.integer(0)),
                                core::StoreTime(std::chrono::nanoseconds(rows.integer(1)))});
    }
    return found;
}

std::int64_t Index::open() {
    return store::number(open_);
}

void Index::count(view::Listing& listing, Time since) {
    std::int64_t completed = 0;
    {
        store::Rows rows = count_all_.query(since);
        if (rows.next()) completed = rows.integer(0);
    }
    store::Rows rows = count_open_.query(since);
    while (rows.next()) {
        completed -= rows.integer(1);
        listing.counts[static_cast<Course>(rows.integer(0))] =
            static_cast<std::size_t>(rows.integer(1));
    }
    if (completed > 0) listing.counts[Course::completed] = static_cast<std::size_t>(completed);
}

/// What the services say of a saga counts beside its events: those of which they say something are
/// judged here, and taken out of what the file says.
view::Listing Index::list(const view::Wanted& wanted, const std::optional<Older>& older,
                          const view::Landscape& landscape, const Letters& letters) {
    view::Listing listing;
    count(listing, wanted.since);
    const Older from = older.value_or(Older{Time::max(), 0});
    std::set<std::string, std::less<>> judged;
    for (const auto& [saga, its] : letters) {
        auto row = load(saga);
        if (!row || row->standing.completed() || row->standing.engine_only ||
            row->standing.started < wanted.since)
            continue;
        judged.insert(saga);
        const Course before = row->standing.course;
        if (--listing.counts[before] == 0) listing.counts.erase(before);
        settle(*row, landscape, its);
        const Standing& now = row->standing;
        ++listing.counts[now.course];
        if (wanted.takes(now.course) &&
            std::pair(now.started, now.last_seq) < std::pair(from.started, from.last_seq))
            listing.sagas.push_back(now);
    }
    for (const auto& [course, count] : listing.counts)
        if (wanted.takes(course)) listing.matching += count;

    std::size_t taken = 0;
    const auto add = [&](store::Rows rows) {
        while (taken < wanted.limit && rows.next()) {
            if (judged.contains(rows.text(1))) continue;
            listing.sagas.push_back(row_of(rows).standing);
            ++taken;
        }
    };
    const auto query = [&](store::Statement& statement, const auto&... course) {
        add(statement.query(wanted.since, from.started, from.last_seq, course...));
    };
    if (wanted.status.empty())
        query(list_any_);
    else if (wanted.takes(Course::completed))
        query(list_completed_);
    else
        for (const Course course :
             {Course::running, Course::undoing, Course::undone, Course::undo_failed, Course::stuck})
            if (wanted.takes(course)) query(list_open_, course);
    listing.sort();
    if (listing.sagas.size() > wanted.limit) listing.sagas.resize(wanted.limit);
    return listing;
}

}  // namespace saga::observer
