#include "tests/sim/world.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "saga/core/envelope.hpp"
#include "saga/core/subject.hpp"
#include "saga/runtime/contract_json.hpp"
#include "saga/store/statement.hpp"
#include "saga/verify/verify.hpp"
#include "services/shop/audit.hpp"
#include "tests/sim/latecomers.hpp"
#include "tests/sim/moody.hpp"
#include "tests/sim/operator.hpp"
#include "tests/sim/points.hpp"
#include "tests/sim/tally.hpp"
#include "tests/sim/weather.hpp"

namespace saga::sim {
namespace {

using namespace std::chrono_literals;

constexpr auto kLook = 500ms;  // at whether all is at rest
/// At rest for so long: the stream is looked at every kStreamCheck, and a suspicion twice; and what
/// a network held back comes through, for 40 seconds at most.
constexpr auto kQuiet = 2 * core::kStreamCheck + 25s;
constexpr auto kCannedQuiet = 3s;     // where the broker loses nothing
constexpr auto kCannedLook = 50ms;    // at whether who died has made good for it
constexpr auto kLiveness = 2h;        // after the faults have ended everything ends within that
constexpr std::size_t kEnough = 100;  // violations: what begins again and again may end here
constexpr unsigned kShards = 2;

class World {
  public:
    explicit World(const Setup& setup)
        : setup_(setup),
          chance_(setup.seed),
          broker_(schedule_),
          bank_(chance_.branch("bank")),
          machines_(shop_machines(schedule_, broker_, bank_, chance_.branch("machines"),
                                  options_of(setup.faults), setup.keys,
                                  setup.faults.contains(Fault::split) ? kShards : 1)),
          customer_(schedule_, broker_, chance_.branch("customer")),
          market_(schedule_, customer_, chance_.branch("market"), setup.keys),
          weather_(schedule_, broker_, bank_, machines_, customer_, chance_.branch("weather"),
                   outcome_),
          crashes_(machines_),
          operator_(schedule_, broker_, chance_.branch("operator")) {
        for (const auto& machine : machines_)
            machine->on_start([this, &here = *machine] { look_at(here); });
    }

    static std::unique_ptr<World> opened(const Setup& setup) {
        auto world = std::make_unique<World>(setup);
        world->open_shop();
        return world;
    }

    Outcome run(const Setup& setup) {
        setup_ = setup;
        return run();
    }

    Outcome run() {
        const Steady begun = schedule_.now();
        if (setup_.canned == Canned::none) {
            broker_.make_assets();
            go_through_trouble();
        } else {
            open_shop();
            go_through_crashes();
        }
        come_to_rest();
        judge();
        if (setup_.faults.contains(Fault::late) && outcome_.violations.empty())
            add("", come_too_late(schedule_, broker_, bank_, machines_, outcome_.coverage));
        outcome_.lasted = schedule_.now() - begun;
        if (!setup_.show.empty()) show();
        return std::move(outcome_);
    }

  private:
    void pass(Duration time) {
        const Steady until = schedule_.now() + time;
        while (schedule_.step(until)) {
        }
    }

    void go_through_trouble() {
        bank_.credit(chance_.happens(0.5) ? 1'000'000 : 6'000);
        market_.open(setup_.sagas, setup_.trouble * 3 / 4);
        weather_.begin(setup_.faults, setup_.trouble);
        pass(setup_.trouble);
        weather_.clear();
    }

    /// Ends where the canned saga begins; with any crashes it is the same.
    void open_shop() {
        if (std::exchange(open_, true)) return;
        broker_.make_assets();
        bank_.credit(1'000'000);
        weather_.begin({}, {});
        weather_.clear();
        market_.deliver(0, 2 * Market::kTooLarge);
        const Steady last = schedule_.now() + kLiveness;
        while (!at_rest() && schedule_.now() < last) pass(kCannedLook);
        if (setup_.disks_lie)
            for (const auto& machine : machines_) machine->disk().lie();
    }

    void go_through_crashes() {
        const Steady last = schedule_.now() + kLiveness;
        crashes_.begin(setup_.crashes);
        market_.order("o0", 0, setup_.canned == Canned::completed);
        do pass(kCannedLook);
        while (!made_good() && schedule_.now() < last);
        crashes_.end();
        outcome_.points = crashes_.take_points();
        if (!crashes_.all_came())
            outcome_.violations.push_back(fmt::format(
                "I14: {} never does its act {}", crashes_.next().machine, crashes_.next().act));
    }

    /// Whether whoever died last has made good for it; of no crash at all: whether all is done.
    bool made_good() {
        if (setup_.crashes.empty()) return at_rest();
        return crashes_.all_came() && customer_.idle() && crashes_.last_is_level(head());
    }

    std::uint64_t head() const {
        const Stream* stream = broker_.stream(core::kStream);
        return stream == nullptr ? 0 : stream->last_seq;
    }

    bool at_rest() {
        if (broker_.stream(core::kStream) == nullptr || !customer_.idle() || !operator_.idle())
            return false;
        const bool all = std::all_of(machines_.begin(), machines_.end(),
                                     [&](const auto& machine) { return machine->at_rest(head()); });
        if (!all) return false;
        store::Statement open(machines_[0]->store().db(),
                              "SELECT count(*) FROM orders WHERE state = 'open'");
        return store::number(open) == 0;
    }

    void come_to_rest() {
        const Steady last = schedule_.now() + kLiveness;
        const Duration quiet = setup_.canned == Canned::none ? Duration(kQuiet) : kCannedQuiet;
        Steady rest_since = schedule_.now();
        for (Steady look = schedule_.now(); look < last; look += kLook) {
            while (schedule_.step(look)) {
            }
            for (const auto& machine : machines_) operator_.look(*machine);
            if (!at_rest()) rest_since = look;
            if (look - rest_since > quiet || outcome_.violations.size() > kEnough) return;
        }
        for (const auto& machine : machines_) {
            const std::string state =
                machine->running() ? machine->node().state_json() : machine->trouble();
            outcome_.violations.push_back(
                fmt::format("I8: {} is not at rest two hours after the last fault: {}",
                            machine->name(), state));
        }
        if (!customer_.idle()) outcome_.violations.emplace_back("I8: a customer still waits");
    }

    void judge() {
        const bool all = std::all_of(machines_.begin(), machines_.end(),
                                     [](const auto& machine) { return machine->running(); });
        if (!all) return;  // said already
        const shop::Books books = shop_books(machines_, bank_, broker_);
        const shop::Audit audit = shop::audit(books);
        add("I3: ", audit.violations);
        if (setup_.faults.contains(Fault::split)) outcome_.coverage.hit(name_of(Fault::split));
        if (setup_.keys == Keys::hot) {
            outcome_.coverage.hit("hot keys");
            add("I11: ", wrong_points(store_of("points"), books));
            add("I8: ", wrong_moods(store_of("moody"), books));
        }
        add("I1: a call asked the bank what it objects to: ", bank_.objections);
        count(books);
        told(books);
        invariants();
        if (!befalls(kBrokerLoses)) none_went_back();
        if (setup_.canned != Canned::none) came_as_canned(books);
        for (const auto& machine : machines_)
            if (machine->store().parked.count(true) != 0) gave_up(*machine);
    }

    store::Store& store_of(std::string_view name) {
        return (*std::ranges::find(machines_, name, &Machine::name))->store();
    }
    void add(const std::string& invariant, const auto& wrong) {
        for (const std::string& each : wrong) outcome_.violations.push_back(invariant + each);
    }

    /// Where nothing is lost nobody reads again, however late the broker's answers come.
    void none_went_back() {
        for (const auto& machine : machines_)
            if (const std::uint64_t times = machine->seen().rewinds; times > 0)
                outcome_.violations.push_back(
                    fmt::format("I12: {} went back {} times in a stream that has lost nothing",
                                machine->name(), times));
    }

    void came_as_canned(const shop::Books& books) {
        const char* expected = setup_.canned == Canned::completed ? "confirmed" : "rejected";
        for (const auto& [id, order] : books.orders)
            if (order.state != expected)
                outcome_.violations.push_back(
                    fmt::format("I4: order {} is {}, and not {}", id, order.state, expected));
        if (books.orders.size() != 1)
            outcome_.violations.push_back(fmt::format("I4: {} orders", books.orders.size()));
    }

    void show() {
        for (const auto& machine : machines_) {
            if (!machine->running()) continue;
            fmt::print("{}\n", machine->name());
            for (const char* select :
                 {"SELECT 'saga', failed_by, ended_by FROM sagas WHERE id = ?1",
                  "SELECT 'journal', j.step, j.state, j.outcome FROM journal j JOIN sagas s USING "
                  "(saga) WHERE s.id = ?1",
                  "SELECT 'outbox', o.seq, o.subject, o.stream_seq FROM outbox o JOIN sagas s "
                  "USING "
                  "(saga) WHERE s.id = ?1",
                  "SELECT 'parked', p.step, p.state, p.attempts, p.reason FROM parked p JOIN sagas "
                  "s USING (saga) WHERE s.id = ?1"}) {
                store::Statement statement(machine->store().db(), select);
                store::Rows rows = statement.query(setup_.show);
                while (rows.next()) {
                    for (int i = 0; i < rows.columns(); ++i) fmt::print("  {}", rows.text(i));
                    fmt::print("\n");
                }
            }
        }
        for (const auto& [seq, message] : broker_.stream(core::kStream)->messages) {
            const auto read = core::decode(message.bytes);
            const auto* envelope = std::get_if<core::Envelope>(&read);
            if (envelope != nullptr && envelope->saga == setup_.show)
                fmt::print("{} {} {}\n", seq, message.subject, message.id);
        }
    }

    void gave_up(Machine& machine) {
        store::Statement dead(
            machine.store().db(),
            "SELECT s.id, p.step, p.attempts, p.reason FROM parked p JOIN sagas s "
            "ON s.saga = p.saga WHERE p.next_at IS NULL AND p.attempts > 0");
        store::Rows rows = dead.query();
        while (rows.next())
            outcome_.violations.push_back(
                fmt::format("I8: {} gave up on {} of {} after {} attempts: {}", machine.name(),
                            rows.text(1), rows.text(0), rows.integer(2), rows.text(3)));
    }

    void invariants() {
        verify::Landscape landscape = seen_stream();
        verify::Options options;
        for (const auto& machine : machines_) {
            landscape.services.push_back(seen_service(*machine));
            if (befalls(kServiceLoses)) options.unordered.insert(machine->contract().service);
        }
        if (!befalls(kServiceLoses)) landscape.answers = answers();
        check(landscape, options, "");
    }

    /// What a death has left: nothing of it stands apart from the rest. Of a stream that was made
    /// anew, and that the service has not compared yet, nothing can be said.
    void look_at(Machine& machine) {
        verify::Landscape landscape;
        const Stream* stream = broker_.stream(core::kStream);
        const core::StoreTime read = machine.store().cursor.position().created;
        if (stream != nullptr && stream->created == read) landscape = seen_stream();
        landscape.stream_whole = false;
        landscape.services.push_back(seen_service(machine));
        verify::Options options;
        options.at_rest = false;
        options.unordered.insert(machine.contract().service);
        check(landscape, options, "after a death: ");
    }

    bool befalls(const std::set<Fault>& faults) const {
        return std::any_of(faults.begin(), faults.end(),
                           [&](Fault fault) { return setup_.faults.contains(fault); });
    }
    verify::Landscape seen_stream() const {
        verify::Landscape landscape;
        landscape.stream_whole = !befalls(kBrokerLoses);
        if (const Stream* stream = broker_.stream(core::kStream))
            for (const auto& [seq, message] : stream->messages)
                landscape.stream.push_back(
                    {seq, message.subject, message.stored_at, message.bytes});
        return landscape;
    }
    static verify::ServiceView seen_service(Machine& machine) {
        return {machine.name(), machine.store().db().handle(),
                nlohmann::json::parse(runtime::contract_json(machine.contract()))};
    }
    void check(const verify::Landscape& landscape, const verify::Options& options,
               std::string_view when) {
        for (const verify::Violation& found : verify::check(landscape, options))
            outcome_.violations.push_back(fmt::format("{}: {}{} {}: {}", found.invariant, when,
                                                      found.service, found.saga, found.what));
    }

    std::vector<verify::Answer> answers() const {
        std::vector<verify::Answer> answers;
        for (const Customer::Asked& asked : customer_.history()) {
            using Told = Customer::Told;
            const auto told = asked.told == Told::accepted  ? verify::Told::accepted
                              : asked.told == Told::refused ? verify::Told::refused
                                                            : verify::Told::unknown;
            answers.push_back({asked.service, asked.verb, asked.key, told});
        }
        return answers;
    }

    /// What customers were told stands (I9).
    void told(const shop::Books& books) {
        // What was accepted and not published yet goes with the disk.
        const bool forgets =
            setup_.faults.contains(Fault::backup) || setup_.faults.contains(Fault::rebuild);
        std::set<std::string> seen;
        for (const Customer::Asked& asked : customer_.history()) {
            if (asked.verb != "place") continue;
            const bool accepted = asked.told == Customer::Told::accepted;
            if (accepted && !forgets && !books.orders.contains(asked.key))
                outcome_.violations.push_back(
                    fmt::format("I9: order {} was accepted, and no book has it", asked.key));
            if (accepted && !seen.insert(asked.key).second)
                outcome_.coverage.hit("command repeated: same answer");
            if (asked.refusal == "conflict")
                outcome_.coverage.hit("command with another body: conflict");
        }
    }

    void count(const shop::Books& books) {
        outcome_.sagas = books.orders.size();
        outcome_.trace = broker_.trace();
        outcome_.duplicates += broker_.duplicates();
        outcome_.coverage.hit("duplicate publication", broker_.duplicates());
        outcome_.coverage.hit("call answered after silence", bank_.answered_late);
        outcome_.coverage.hit("undo that throws", bank_.refused);
        outcome_.coverage.hit("retried by an operator", operator_.retries());
        count_sagas(books, machines_, broker_, outcome_.coverage);
        for (const auto& machine : machines_) {
            count_machine(*machine, outcome_.coverage);
            outcome_.events += machine->node().worker().counts().handled;
            outcome_.power_cuts += machine->power_cuts();
        }
    }

    Setup setup_;
    Outcome outcome_;
    Schedule schedule_;
    Chance chance_;
    Broker broker_;
    Bank bank_;
    std::vector<std::unique_ptr<Machine>> machines_;
    Customer customer_;
    Market market_;
    Weather weather_;
    bool open_ = false;
    Crashes crashes_;
    Operator operator_;
};

}  // namespace

namespace {
using Prepared = std::tuple<std::uint64_t, Canned, bool>;
std::map<Prepared, std::unique_ptr<World>> prepared;

Prepared beginning_of(const Setup& setup) {
    return {setup.seed, setup.canned, setup.disks_lie};
}
}  // namespace

void prepare(const Setup& setup) {
    prepared[beginning_of(setup)] = World::opened(setup);
}

Outcome simulate(const Setup& setup) {
    const auto found = prepared.find(beginning_of(setup));
    if (found == prepared.end()) return World(setup).run();
    const std::unique_ptr<World> world = std::move(found->second);
    prepared.erase(found);
    return world->run(setup);
}

}  // namespace saga::sim
