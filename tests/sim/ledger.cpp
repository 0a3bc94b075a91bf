#include "tests/sim/ledger.hpp"

#include <fmt/format.h>

#include <array>

namespace saga::sim {

const std::vector<std::string> kLedger{
    "CREATE TABLE account (id INTEGER PRIMARY KEY, cents INTEGER NOT NULL, note BLOB) STRICT"};

namespace {

constexpr std::uint64_t kSagas = 12;
constexpr int kAccounts = 8;
constexpr int kKeptEvents = 24;  // small tables are looked through fast

std::vector<std::byte> blob(Chance& chance) {
    const std::size_t most = chance.happens(0.05) ? 6'000 : 300;
    return std::vector(chance.below(most), static_cast<std::byte>(chance.below(256)));
}

EventId event_id(Chance& chance) {
    EventId id;
    for (auto& byte : id.bytes) byte = static_cast<std::uint8_t>(chance.below(256));
    return id;
}

/// One event through the tables of the engine and of the author.
class Item {
  public:
    Item(store::Store& store, Chance& chance, Time now)
        : store_(store), chance_(chance), now_(now) {}

    void write() {
        saga_ = known();
        event_ = event_id(chance_);
        business();
        step();
        if (chance_.happens(0.3)) wait();
        if (chance_.happens(0.3)) store_.inbox.insert(saga_.key, event_, "react", "Done");
        store_.outbox.insert({.seq = 0,
                              .id = event_id(chance_),
                              .saga = saga_.key,
                              .subject = "saga.ledger.done",
                              .envelope = blob(chance_)},
                             now_, std::nullopt);
    }

  private:
    core::SagaRow known() {
        core::SagaRow row = store_.sagas.find(fmt::format("s{}", chance_.below(kSagas)));
        if (row.key == 0)
            store_.sagas.insert(row, now_);
        else
            store_.sagas.touch(row.key, now_);
        return row;
    }
    void business() {
        store::Savepoint savepoint(store_.db());
        const std::vector<std::byte> note = blob(chance_);
        const std::string text(note.size(), 'n');
        for (int side : {1, -1}) {
            const std::array<detail::Value, 3> args{
                static_cast<std::int64_t>(chance_.below(kAccounts)), std::int64_t{side * 100},
                std::string_view(text)};
            store_.business.exec(
                "INSERT INTO account VALUES (?1, ?2, CAST(?3 AS BLOB)) "
                "ON CONFLICT DO UPDATE SET cents = cents + ?2, note = CAST(?3 AS BLOB)",
                args);
        }
        if (!chance_.happens(0.2)) savepoint.keep();
    }
    void step() {
        const core::StepRow row{.step = fmt::format("step{}", chance_.below(3)),
                                .run = {},
                                .event = event_,
                                .state = core::StepState::done,
                                .nth = static_cast<std::uint32_t>(chance_.below(5))};
        const std::vector<std::byte> result = blob(chance_);
        store_.journal.put_ran(saga_.key, row, "Done", Bytes(result));
        if (chance_.happens(0.1)) {
            saga_.failures.emplace_back("Refused");
            store_.sagas.mark(saga_, now_);
        }
    }
    void wait() {
        core::ParkedRow row{.what = core::Waits::step, .step = "step", .event = event_};
        store_.parked.insert(saga_.key, row, nullptr, "it is not there yet", now_);
        if (chance_.happens(0.5)) store_.parked.erase(saga_.key, row);
        store_.timers.erase_all(saga_.key);
        store_.timers.insert({.saga = saga_.key, .step = "step"}, now_);
        const std::string entity = fmt::format("entity{}", chance_.below(4));
        if (store_.locks.before(entity, saga_.key).saga == 0)
            store_.locks.take(entity, saga_.key);
        else
            store_.locks.release(saga_.key);
        store_.locks.leave(row.position - 1);
        store_.locks.queue(row.position, saga_.key, std::vector{entity});
        const std::int64_t call = store_.calls.insert(
            {.saga = saga_.key, .step = "step", .run = event_, .question = blob(chance_)}, now_);
        if (chance_.happens(0.7)) store_.calls.erase(call);
    }

    store::Store& store_;
    Chance& chance_;
    Time now_;
    core::SagaRow saga_;
    EventId event_;
};

void settle_and_prune(store::Store& store, Chance& chance, Time now) {
    for (const store::OutboxRow& row : store.outbox.unsettled_after(0, chance.below(6)))
        store.outbox.settle(row.seq, static_cast<std::uint64_t>(row.seq) * 2, now);
    const auto events = store.pruning.events(0, 100);
    for (std::size_t nth = kKeptEvents; nth < events.size(); ++nth)
        store.pruning.erase_event(events[nth - kKeptEvents].seq);
    if (!chance.happens(0.1)) return;
    for (const auto& saga : store.pruning.sagas(0, 1)) {
        store.pruning.erase_saga(saga.key);
        store.locks.reload();
    }
}

/// FNV-1a, eight bytes at a time.
void mix(std::uint64_t& digest, std::uint64_t word) {
    digest = (digest ^ word) * 0x100000001b3ULL;
    digest ^= digest >> 29;
}

void mix(std::uint64_t& digest, const store::Rows& rows) {
    for (int column = 0; column < rows.columns(); ++column) {
        const int type = rows.type(column);
        mix(digest, static_cast<std::uint64_t>(type));
        if (type == SQLITE_INTEGER)
            mix(digest, static_cast<std::uint64_t>(rows.integer(column)));
        else if (type == SQLITE_TEXT)
            mix(digest, std::hash<std::string_view>{}(rows.text(column)));
        else if (const Bytes bytes = rows.blob(column); !bytes.empty())
            mix(digest, std::hash<std::string_view>{}(
                            {reinterpret_cast<const char*>(bytes.data()), bytes.size()}));
    }
}

}  // namespace

void write_transaction(store::Store& store, Chance chance) {
    const std::uint64_t seq = store.cursor.position().seq + 1;
    const Time now{std::chrono::milliseconds(seq)};
    for (std::uint64_t items = 1 + chance.below(3); items > 0; --items)
        Item(store, chance, now).write();
    settle_and_prune(store, chance, now);
    if (chance.happens(0.1)) store.meta.set("ledger", static_cast<std::int64_t>(seq));
    store.cursor.move_to(seq,
                         core::Checkpoint{.seq = seq, .stored_at = now, .id = event_id(chance)});
}

Contents contents(const store::Database& db) {
    Contents found;
    store::Statement tables(db, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY 1");
    store::Rows names = tables.query();
    while (names.next()) {
        const std::string name(names.text(0));
        store::Statement all(db, "SELECT * FROM " + name);
        store::Rows rows = all.query();
        mix(found.digest, std::hash<std::string>{}(name));
        while (rows.next()) {
            mix(found.digest, rows);
            if (name == "cursor") found.cursor = static_cast<std::uint64_t>(rows.integer(2));
        }
    }
    return found;
}

}  // namespace saga::sim
