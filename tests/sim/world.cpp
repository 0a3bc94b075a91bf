#include "tests/sim/world.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "saga/core/envelope.hpp"
#include "saga/core/subject.hpp"
#include "saga/runtime/contract_json.hpp"
#include "saga/store/statement.hpp"
#include "saga/verify/verify.hpp"
#include "services/shop/audit.hpp"
#include "tests/sim/points.hpp"
#include "tests/sim/weather.hpp"

namespace saga::sim {
namespace {

using namespace std::chrono_literals;

constexpr auto kLook = 500ms;  // at whether all is at rest
/// At rest for so long: the stream is looked at every kStreamCheck, and a suspicion twice.
constexpr auto kQuiet = 2 * core::kStreamCheck + 5s;
constexpr auto kLiveness = 2h;        // after the faults have ended everything ends within that
constexpr std::size_t kEnough = 100;  // violations: what begins again and again may end here
constexpr double kFaultRate = 0.3;    // of being among a seed's faults
constexpr double kHotRate = 0.2;      // of seeds in which everybody wants the same

/// These lose what a database restored from a backup would have to be told: not both in one run.
const std::set<Fault> kBrokerLoses{Fault::tail, Fault::rollback, Fault::wipe, Fault::remade,
                                   Fault::hole};
const std::set<Fault> kServiceLoses{Fault::backup, Fault::rebuild};

class World {
  public:
    explicit World(const Setup& setup)
        : setup_(setup),
          chance_(setup.seed),
          broker_(schedule_),
          bank_(chance_.branch("bank")),
          machines_(
              shop_machines(schedule_, broker_, bank_, chance_.branch("machines"), {}, setup.keys)),
          customer_(schedule_, broker_, chance_.branch("customer")),
          market_(schedule_, customer_, chance_.branch("market"), setup.keys),
          weather_(schedule_, broker_, bank_, machines_, customer_, chance_.branch("weather"),
                   outcome_) {}

    Outcome run() {
        const Steady begun = schedule_.now();
        bank_.credit(chance_.happens(0.5) ? 1'000'000 : 6'000);
        broker_.make_assets();
        market_.open(setup_.sagas, setup_.trouble * 3 / 4);
        for (const auto& machine : machines_)
            machine->on_start([this, &here = *machine] { look_at(here); });
        weather_.begin(setup_.faults, setup_.trouble);
        const Steady trouble_ends = schedule_.now() + setup_.trouble;
        while (schedule_.step(trouble_ends)) {
        }
        weather_.clear();
        come_to_rest();
        judge();
        outcome_.lasted = schedule_.now() - begun;
        if (!setup_.show.empty()) show();
        return std::move(outcome_);
    }

  private:
    bool at_rest() {
        const Stream* stream = broker_.stream(core::kStream);
        if (stream == nullptr || !customer_.idle()) return false;
        const bool all = std::all_of(machines_.begin(), machines_.end(), [&](const auto& machine) {
            return machine->at_rest(stream->last_seq);
        });
        if (!all) return false;
        store::Statement open(machines_[0]->store().db(),
                              "SELECT count(*) FROM orders WHERE state = 'open'");
        return store::number(open) == 0;
    }

    void come_to_rest() {
        const Steady last = schedule_.now() + kLiveness;
        Steady rest_since = schedule_.now();
        for (Steady look = schedule_.now(); look < last; look += kLook) {
            while (schedule_.step(look)) {
            }
            if (!at_rest()) rest_since = look;
            if (look - rest_since > kQuiet || outcome_.violations.size() > kEnough) return;
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
        for (const std::string& wrong : audit.violations)
            outcome_.violations.push_back("I3: " + wrong);
        if (setup_.keys == Keys::hot) {
            outcome_.coverage.hit("hot keys");
            for (const std::string& wrong : wrong_points(machines_.back()->store(), books))
                outcome_.violations.push_back("I11: " + wrong);
        }
        for (const std::string& why : bank_.objections)
            outcome_.violations.push_back("I1: a call asked the bank what it objects to: " + why);
        count(books);
        told(books);
        invariants();
        for (const auto& machine : machines_)
            if (machine->store().parked.count(true) != 0) gave_up(*machine);
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
            if (befalls(kServiceLoses)) options.unordered.insert(machine->name());
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
        options.unordered.insert(machine.name());
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
        store::Statement reasons(machines_[0]->store().db(),
                                 "SELECT state, reason, count(*) FROM orders GROUP BY 1, 2");
        store::Rows rows = reasons.query();
        while (rows.next()) {
            const auto times = static_cast<std::uint64_t>(rows.integer(2));
            const std::string_view reason = rows.text(1);
            if (rows.text(0) == "confirmed") outcome_.coverage.hit("saga confirmed", times);
            if (reason == "StockShort") outcome_.coverage.hit("saga rejected: out of stock", times);
            if (reason == "PaymentDeclined")
                outcome_.coverage.hit("saga rejected: payment declined", times);
            if (reason == "OrderCancelled")
                outcome_.coverage.hit("saga rejected: cancelled", times);
            if (reason == "ShippingRefused")
                outcome_.coverage.hit("saga rejected: shipment refused", times);
        }
        for (const auto& [id, payment] : books.payments)
            if (payment.refunded > 0) outcome_.coverage.hit("refund after a payment");
        outcome_.coverage.hit("call answered after silence", bank_.answered_late);
        for (const auto& machine : machines_) {
            const Machine::Seen& seen = machine->seen();
            outcome_.coverage.hit("death at start-up", seen.in_start);
            outcome_.coverage.hit("death inside a transaction", seen.in_transaction);
            outcome_.coverage.hit("death between commit and PubAck", seen.in_send);
            outcome_.coverage.hit("rewind", seen.rewinds);
            outcome_.coverage.hit("reader made anew", seen.reopened);
            outcome_.coverage.hit("catch-up", seen.catch_ups);
            outcome_.coverage.hit("saga waits for another one's lock", seen.lock_waits);
            outcome_.coverage.hit("dead letter of what is no event",
                                  static_cast<std::uint64_t>(machine->store().aside.count()));
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
};

}  // namespace

Setup draw(std::uint64_t seed) {
    Chance chance = Chance(seed).branch("setup");
    Setup setup{.seed = seed,
                .sagas = 5 + static_cast<int>(chance.below(30)),
                .trouble = chance.between<std::chrono::milliseconds>(5s, 90s),
                .faults = {},
                .keys = chance.branch("keys").happens(kHotRate) ? Keys::hot : Keys::calm};
    const std::set<Fault>& excluded = chance.happens(0.6) ? kServiceLoses : kBrokerLoses;
    for (std::size_t i = 0; i < kFaults; ++i) {
        const auto fault = static_cast<Fault>(i);
        if (chance.happens(kFaultRate) && !excluded.contains(fault)) setup.faults.insert(fault);
    }
    return setup;
}

Outcome simulate(const Setup& setup) {
    return World(setup).run();
}

}  // namespace saga::sim
