// The shop for ever: orders without end through the four real services, in virtual time, while what
// is finished and old is forgotten. What a service keeps must stop growing.
#include <fmt/format.h>
#include <malloc.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <functional>

#include "saga/core/subject.hpp"
#include "services/shop/audit.hpp"
#include "shop_events.hpp"
#include "tests/sim/weather.hpp"

namespace saga::sim {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kSlice = 100;  // orders of one moment, after which the books are audited
constexpr auto kRest = 30s;            // that they take to come to rest, at most
constexpr auto kRemembers = 5min;      // a service of what is finished
constexpr std::uint64_t kLines = 40;   // that are printed
/// That the second half may be larger by: of a million sagas no figure grows by more than 0.3 %, of
/// 4,000 by 1.3 %.
constexpr double kGrowth = 1.05;

/// What may not grow for ever.
struct Size {
    std::uint64_t rows = 0, database = 0, wal = 0, memory = 0;

    void rise(const Size& other) {
        rows = std::max(rows, other.rows);
        database = std::max(database, other.database);
        wal = std::max(wal, other.wal);
        memory = std::max(memory, other.memory);
    }
};

/// What is allocated and not freed; how much of it is resident is the allocator's matter.
std::uint64_t heap_bytes() {
    const struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

class Soak {
  public:
    explicit Soak(std::uint64_t sagas)
        : slices_(sagas / kSlice),
          broker_(schedule_, {.max_age = kRemembers / 2}),
          bank_(Chance(1)),
          machines_(shop_machines(schedule_, broker_, bank_, Chance(2),
                                  {.horizons = {.journal = kRemembers, .outbox = kRemembers / 4}},
                                  Keys::calm, 1)),
          customer_(schedule_, broker_, Chance(3)),
          market_(schedule_, customer_, Chance(4), Keys::calm),
          weather_(schedule_, broker_, bank_, machines_, customer_, Chance(5), outcome_) {}

    /// Whether the second half is no larger than the first.
    bool run() {
        broker_.make_assets();
        weather_.begin({}, {});
        weather_.clear();
        Size first, second;
        fmt::print("{:>9} {:>9} {:>8} {:>9} {:>9} {:>9}\n", "sagas", "virtual h", "rows",
                   "files KiB", "WAL KiB", "heap KiB");
        for (std::uint64_t slice = 0; slice < slices_; ++slice) {
            trade(static_cast<int>(slice));
            (slice < slices_ / 2 ? first : second).rise(look(slice));
            audit();
            archive();
        }
        for (const std::string& wrong : outcome_.violations) fmt::print("WRONG {}\n", wrong);
        const std::array flat{no_larger("rows", first.rows, second.rows),
                              no_larger("files", first.database, second.database),
                              no_larger("WAL", first.wal, second.wal),
                              no_larger("heap", first.memory, second.memory)};
        return std::ranges::all_of(flat, std::identity{}) && outcome_.violations.empty();
    }

  private:
    void pass(Duration time) {
        const Steady until = schedule_.now() + time;
        while (schedule_.step(until)) {
        }
    }
    Machine& inventory() { return *machines_[1]; }

    /// A delivery that is enough, and a slice of orders: of some the carrier refuses each fourth.
    void trade(int slice) {
        bank_.begin();
        bank_.credit(1'000'000'000);
        market_.deliver(slice, static_cast<int>(kSlice) * Market::kTooLarge);
        pass(2s);
        for (std::uint64_t nth = 0; nth < kSlice; ++nth)
            market_.order(fmt::format("o{}-{}", slice, nth), slice, nth % 4 != 3);
        pass(kRest);
        customer_.forget();
    }

    std::uint64_t number(Machine& machine, const std::string& select) {
        store::Statement statement(machine.store().db(), select);
        return static_cast<std::uint64_t>(store::number(statement));
    }

    Size look(std::uint64_t slice) {
        Size size{.memory = heap_bytes()};
        for (const auto& machine : machines_) {
            size.memory -= machine->disk().memory();
            size.wal = std::max(size.wal, machine->disk().bytes("-wal"));
            for (const char* table : {"sagas", "journal", "arrived", "inbox", "outbox", "parked",
                                      "aside", "timers", "calls", "locks", "commands", "attempts"})
                size.rows += number(*machine, fmt::format("SELECT count(*) FROM {}", table));
            size.database += machine->disk().bytes(".db");
        }
        if ((slice + 1) % std::max<std::uint64_t>(1, slices_ / kLines) == 0) {
            fmt::print(
                "{:>9} {:>9} {:>8} {:>9} {:>9} {:>9}\n", (slice + 1) * kSlice,
                std::chrono::duration_cast<std::chrono::hours>(schedule_.now() - Steady{}).count(),
                size.rows, size.database / 1024, size.wal / 1024, size.memory / 1024);
            std::fflush(stdout);
        }
        return size;
    }

    void audit() {
        for (const auto& machine : machines_)
            if (!machine->at_rest(broker_.stream(core::kStream)->last_seq))
                outcome_.violations.push_back(machine->name() + " is not at rest");
        const shop::Audit audit = shop::audit(shop_books(machines_, bank_, broker_));
        for (const std::string& wrong : audit.violations) outcome_.violations.push_back(wrong);
        if (static_cast<std::uint64_t>(audit.orders) != kSlice)
            outcome_.violations.push_back(fmt::format("{} orders of {}", audit.orders, kSlice));
    }

    /// The shop's own books are closed, and begin anew: they are no matter of the engine's.
    void archive() {
        for (const auto& [machine, tables] : std::map<std::size_t, std::vector<const char*>>{
                 {0, {"orders"}},
                 {1, {"reserved", "product", "delivery"}},
                 {2, {"payment"}},
                 {3, {"parcel"}}})
            for (const char* table : tables)
                machines_[machine]->store().db().exec(fmt::format("DELETE FROM {}", table));
    }

    static bool no_larger(const char* what, std::uint64_t first, std::uint64_t second) {
        const bool flat = static_cast<double>(second) <= static_cast<double>(first) * kGrowth;
        fmt::print("{}: {} in the first half, {} in the second{}\n", what, first, second,
                   flat ? "" : ": TOO MUCH");
        return flat;
    }

    const std::uint64_t slices_;
    Outcome outcome_;
    Schedule schedule_;
    Broker broker_;
    Bank bank_;
    std::vector<std::unique_ptr<Machine>> machines_;
    Customer customer_;
    Market market_;
    Weather weather_;
};

}  // namespace
}  // namespace saga::sim

int main(int argc, char** argv) {
    std::uint64_t sagas = 4'000;
    CLI::App app{"Orders without end through the shop's services, in virtual time.", "soak"};
    app.add_option("--sagas", sagas, "how many")
        ->check(CLI::Range(4'000, 100'000'000))
        ->capture_default_str();
    CLI11_PARSE(app, argc, argv);
    return saga::sim::Soak(sagas).run() ? 0 : 1;
}
