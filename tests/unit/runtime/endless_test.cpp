// A service that works for ever keeps its size: what is finished and old enough is forgotten.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <filesystem>
#include <map>

#include "saga/core/subject.hpp"
#include "saga/runtime/pruner.hpp"
#include "saga/runtime/worker.hpp"
#include "tests/landscape/landscape.hpp"
#include "tests/unit/sparse.hpp"
#include "tests/unit/store/fixture.hpp"

using namespace saga;
using namespace saga::test;
using namespace std::chrono_literals;

namespace {

class Counter final : public runtime::Random {
  public:
    std::uint64_t next() override { return value_ += 7919; }

  private:
    std::uint64_t value_ = 0;
};

/// The granter, whose sagas are granted, rejected by another, undone and over; on virtual time.
struct Endless {
    Time now{std::chrono::hours(24 * 365 * 56)};
    std::uint64_t seq = 0;
    Service service = testing::granter(1h);
    Folder folder;
    store::Store store{at(folder.file("granter.db")), service.contract().tables};
    core::IdKey key{{1, 2, 3}};
    Counter random;
    core::Outgoing outgoing;
    runtime::Worker worker{service.contract(), store, key, random, outgoing, {}};
    runtime::Pruner pruner{service.contract(), store, {}};
    runtime::Inbound in;

    void give(const detail::EventType& type, Kind kind, const std::string& saga, Time started,
              const std::vector<std::byte>& payload) {
        const EventId id =
            key.id(started, {type.owner, saga, type.name, core::Role::outcome, 0, {}});
        in.messages.push_back(
            {core::event_subject(type.owner, kind, type.name, saga, false),
             core::encode({.id = id,
                           .type = type.full,
                           .saga = saga,
                           .started = started,
                           .source = type.owner,
                           .sequence = ++seq,
                           .time = now,
                           .kind = kind,
                           .because = kind == Kind::done ? std::string_view{} : "Rejected",
                           .payload = payload}),
             seq, core::StoreTime(now)});
    }

    /// Sagas that begin now, and what others say of those that began before them.
    void begin(int from, int to, Time started) {
        for (int i = from; i < to; ++i) {
            const std::string saga = fmt::format("s{}", i);
            give(detail::type_of<::test::Asked>(), Kind::done, saga, started,
                 detail::pack(::test::Asked{.ticket = saga, .amount = 1}));
        }
    }
    void end(int from, int to, Time started) {
        for (int i = from; i < to; ++i) {
            const std::string saga = fmt::format("s{}", i);
            give(detail::type_of<::test::Rejected>(), Kind::failed, saga, started,
                 detail::pack(::test::Rejected{.ticket = saga}));
            give(detail::type_of<::test::GaveUp>(), Kind::ended, saga, started,
                 detail::pack(::test::GaveUp{.ticket = saga, .reason = "Rejected"}));
        }
    }

    /// Rounds until nothing is left, one pruning step after each, as a busy node makes them.
    void work() {
        bool busy = true;
        while (busy) {
            const runtime::Committed done = worker.round(in, now);
            for (const store::OutboxRow& row : done.published)
                in.messages.push_back({row.subject, row.envelope, ++seq, core::StoreTime(now)});
            pruner.step(now);
            busy = done.items > 0 || !in.messages.empty();
        }
    }

    std::int64_t value(const std::string& select) {
        store::Statement statement(store.db(), select);
        return store::number(statement);
    }
    std::map<std::string, std::int64_t> rows() {
        std::vector<std::string> tables;
        {
            store::Statement statement(store.db(),
                                       "SELECT name FROM sqlite_master WHERE type = 'table'");
            store::Rows found = statement.query();
            while (found.next()) tables.emplace_back(found.text(0));
        }
        std::map<std::string, std::int64_t> counts;
        for (const std::string& table : tables)
            counts[table] = value("SELECT count(*) FROM " + table);
        return counts;
    }
    std::int64_t size(const char* tail) const {
        return static_cast<std::int64_t>(
            std::filesystem::file_size(folder.file("granter.db") + tail));
    }
};

}  // namespace

TEST_CASE("endless: 50,000 sagas in thirty-five days, and rows, file and WAL are flat") {
    // Where there are fewer they are as far apart.
    constexpr int kSagas = 50'000 / kSparse, kEach = 250 / kSparse;
    constexpr auto kEvery = 60s * kSparse;  // a saga begins
    Endless world;
    std::map<std::string, std::int64_t> most;
    std::int64_t file = 0, wal = 0, earlier_file = 0;
    for (int from = 0; from < kSagas; from += kEach) {
        const Time started = world.now;
        world.begin(from, from + kEach, started);
        world.work();
        world.end(from, from + kEach, started);
        world.now += kEvery * kEach;
        world.work();
        wal = std::max(wal, world.size("-wal"));
        if (from < kSagas / 2) {  // longer than the eight days for which a saga is remembered
            file = world.size("");
            for (const auto& [table, rows] : world.rows())
                most[table] = std::max(most[table], rows);
            continue;
        }
        if (earlier_file == 0) earlier_file = file;
        CHECK(world.size("") <= earlier_file * 21 / 20);  // pages fill a little differently
        for (const auto& row : world.rows())              // checkpoints stand at doubling distances
            CHECK_MESSAGE(row.second <= most[row.first] + (row.first == "checkpoints" ? 2 : 0),
                          row.first);
    }
    const std::int64_t remembered = core::kRetention / kEvery + 2 * kEach;
    CHECK(most.at("sagas") <= remembered);
    CHECK(most.at("sagas") >= core::kRetention / kEvery - 2 * kEach);
    CHECK(most.at("outbox") <= 2 * (core::kOutboxHorizon / kEvery + 2 * kEach));
    for (const char* none : {"grants", "timers", "parked", "aside", "calls", "attempts", "locks"})
        CHECK_MESSAGE(world.rows().at(none) == 0, none);
    CHECK(wal <= 16 * 1024 * 1024);
    CHECK(world.worker.counts().dead == 0);
    MESSAGE("file ", file >> 20, " MiB, WAL ", wal >> 20, " MiB, ", most.at("sagas"), " sagas and ",
            most.at("outbox"), " events at most");
}
