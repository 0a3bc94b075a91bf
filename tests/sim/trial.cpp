#include "tests/sim/trial.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "saga/core/envelope.hpp"
#include "saga/core/subject.hpp"
#include "saga/flow/model.hpp"
#include "saga/runtime/contract_json.hpp"
#include "saga/store/statement.hpp"
#include "saga/verify/verify.hpp"
#include "tests/sim/acting.hpp"
#include "tests/sim/weather.hpp"

namespace saga::sim {
namespace {

using namespace std::chrono_literals;
using What = flow::Finding::What;
using core::StepState;

constexpr auto kLook = 500ms;
constexpr auto kLiveness = 2h;  // after the faults have ended everything comes to rest within that
constexpr int kAttempts = 200;  // of a request
constexpr auto kAsked = 50ms;   // pause between looks at whether a saga has begun
constexpr auto kLater = 6s;     // within that of its beginning other commands come into a saga
const std::set<Fault> kTroubles{Fault::kill,  Fault::kill_act, Fault::power, Fault::power_act,
                                Fault::snap,  Fault::stall,    Fault::slow,  Fault::broker_kill,
                                Fault::pause, Fault::consumer, Fault::again, Fault::bank};
constexpr std::array<Duration, 3> kWays{400us, 60ms, 1'500ms};  // of messages, at most

std::string word_of(What what, std::string_view about) {
    std::string name(flow::name_of(what));
    switch (what) {
        case What::left_standing:
        case What::after_pivot:
        case What::waits_in_vain:
        case What::twice:
            return fmt::format("{} {}", name, about);
        case What::ends_twice:
        case What::never_ends:
            return name;
        default:
            return {};
    }
}

/// What the stream holds of a saga, each event once.
struct Told {
    std::set<EventId> words;
    bool failed = false;
};

class Stage {
  public:
    Stage(std::span<const flow::Contract> contracts, const Trial& trial)
        : contracts_(contracts),
          models_(flow::models_of(contracts)),
          trial_(trial),
          chance_(trial.seed),
          broker_(schedule_),
          bank_(chance_.branch("bank")),
          customer_(schedule_, broker_, chance_.branch("customer")),
          weather_(schedule_, broker_, bank_, machines_, customer_, chance_.branch("weather"),
                   outcome_) {
        for (const flow::Contract& contract : contracts) {
            const std::string& name = contract.service;
            machines_.push_back(std::make_unique<Machine>(
                core::Instance{name, {}}, acting_contract(contract, trial.seed), schedule_, broker_,
                bank_, chance_.branch(name), chance_.branch(name), Machine::Options{}));
            machines_.back()->net().most = kWays.at(chance_.below(kWays.size()));
        }
    }

    Course run(bool sound) {
        broker_.make_assets();
        begin_sagas();
        weather_.begin(kTroubles, trial_.trouble);
        pass(trial_.trouble);
        weather_.clear();
        if (come_to_rest()) {
            read_stream();
            for (int nth = 0; nth < trial_.sagas; ++nth) look_at(nth);
            look_aside();
            if (sound) check_invariants();
        }
        std::ranges::copy(outcome_.violations, std::back_inserter(course_.violations));
        course_.deaths = outcome_.kills;
        course_.duplicates = broker_.duplicates() + outcome_.duplicates;
        return std::move(course_);
    }

  private:
    void pass(Duration time) {
        const Steady until = schedule_.now() + time;
        while (schedule_.step(until)) {
        }
    }

    // ---- commands

    const flow::Model& model_of(int nth) const { return models_[nth % models_.size()]; }
    static std::string id_of(int nth) { return fmt::format("s{}", nth); }

    std::size_t ask(const flow::Model& model, const flow::Model::Start& start,
                    const std::string& id) {
        const auto* begin = reinterpret_cast<const std::byte*>(id.data());
        customer_.ask(model.services[model.messages[start.message].service], start.command->verb,
                      id, {begin, begin + id.size()}, kAttempts);
        return customer_.history().size() - 1;
    }

    void begin_sagas() {
        for (int nth = 0; nth < trial_.sagas; ++nth)
            schedule_.in(chance_.between<Duration>(10ms, trial_.trouble * 3 / 4), [this, nth] {
                const flow::Model& model = model_of(nth);
                const std::size_t asked = ask(model, model.first, id_of(nth));
                for (const flow::Model::Start& later : model.later)
                    if (chance_.happens(0.5)) when_begun(asked, nth, later);
            });
    }

    void when_begun(std::size_t asked, int nth, const flow::Model::Start& later) {
        if (customer_.history()[asked].told != Customer::Told::accepted)
            return schedule_.in(kAsked,
                                [this, asked, nth, &later] { when_begun(asked, nth, later); });
        schedule_.in(chance_.between<Duration>(0ms, kLater),
                     [this, nth, &later] { ask(model_of(nth), later, id_of(nth)); });
    }

    // ---- rest

    bool at_rest() {
        const auto is_at_rest = [&](const auto& machine) {
            return machine->at_rest(broker_.stream(core::kStream)->last_seq) &&
                   !machine->store().timers.next_due();
        };
        return customer_.idle() && std::ranges::all_of(machines_, is_at_rest);
    }

    bool come_to_rest() {
        const Steady last = schedule_.now() + kLiveness;
        for (int rests = 0; schedule_.now() < last;) {
            pass(kLook);
            rests = at_rest() ? rests + 1 : 0;
            if (rests > 1) return true;
        }
        for (const auto& machine : machines_)
            course_.violations.push_back(fmt::format(
                "{} is not at rest: {}", machine->name(),
                machine->running() ? machine->node().state_json() : machine->trouble()));
        return false;
    }

    // ---- what came of it

    void read_stream() {
        for (const auto& [seq, message] : broker_.stream(core::kStream)->messages) {
            const auto read = core::decode(message.bytes);
            const auto* envelope = std::get_if<core::Envelope>(&read);
            if (envelope == nullptr) continue;
            Told& told = told_[std::string(envelope->saga)];
            if (envelope->kind == Kind::failed) told.failed = true;
            if (envelope->kind == Kind::ended) told.words.insert(envelope->id);
        }
    }

    void wrong(What what, std::string_view about = {}) {
        course_.wrong.insert(word_of(what, about));
    }

    void look_at(int nth) {
        const std::string id = id_of(nth);
        const Told told = told_[id];
        const bool ends_at_once = model_of(nth).first.command->ends_saga;
        ++course_.sagas;
        course_.failed += told.failed;
        course_.ended_well += !told.failed && !told.words.empty();
        if (told.words.size() > 1 || (ends_at_once && told.failed)) wrong(What::ends_twice);
        const bool vain = look_at_steps(id, told);
        if (told.words.empty() && (told.failed || !vain)) wrong(What::never_ends);
    }

    /// Whether a join waits for its other half.
    bool look_at_steps(const std::string& id, const Told& told) {
        bool vain = false, decided = false, good_end = false;
        for (std::size_t at = 0; at < machines_.size(); ++at) {
            const core::SagaState state = machines_[at]->store().load(id);
            for (const flow::Step& step : contracts_[at].steps) {
                const std::string name = fmt::format("{}.{}", contracts_[at].service, step.name);
                for (const core::StepRow& row : state.steps) {
                    if (row.step != step.name || row.state != StepState::done) continue;
                    if (told.failed) look_at_standing(step, name, row.forward);
                    decided = decided || (step.fate == flow::Fate::pivot && row.forward);
                    good_end = good_end || (step.ends_saga && row.forward);
                }
                const bool waits = std::ranges::any_of(
                    state.arrived, [&](const auto& half) { return half.step == step.name; });
                const bool ran = std::ranges::any_of(
                    state.steps, [&](const auto& row) { return row.step == step.name; });
                if (told.failed || !told.words.empty() || !waits || ran) continue;
                wrong(What::waits_in_vain, name);
                vain = true;
            }
        }
        if (told.failed && good_end && !decided) wrong(What::ends_twice);
        return vain;
    }

    /// A step that is done, of a saga that has failed.
    void look_at_standing(const flow::Step& step, const std::string& name, bool forward) {
        if (step.fate == flow::Fate::pivot)
            wrong(What::after_pivot, name);
        else if (forward && !step.ends_saga && step.fate != flow::Fate::keeps)
            wrong(What::left_standing, name);
    }

    void look_aside() {
        for (std::size_t at = 0; at < machines_.size(); ++at) {
            Machine& machine = *machines_[at];
            if (machine.store().parked.count(true) > 0)
                course_.violations.push_back(machine.name() + " has given something up");
            store::Statement letters(machine.store().db(), "SELECT step, reason FROM aside");
            store::Rows rows = letters.query();
            while (rows.next()) look_at_letter(contracts_[at], rows.text(0), rows.text(1));
        }
    }

    void look_at_letter(const flow::Contract& contract, std::string_view step,
                        std::string_view reason) {
        if (reason.starts_with("the step runs once in a saga")) {
            wrong(What::twice, fmt::format("{}.{}", contract.service, step));
        } else if (reason.starts_with("it would end a saga")) {
            // A half of a join is refused as well, which may never have been completed.
            if (std::ranges::find(contract.steps, step, &flow::Step::name)->on.size() == 1)
                wrong(What::ends_twice);
        } else if (!reason.starts_with("its saga has ended with")) {
            course_.violations.push_back(
                fmt::format("{} put something aside: {}", contract.service, reason));
        }
    }

    void check_invariants() {
        verify::Landscape landscape;
        for (const auto& [seq, message] : broker_.stream(core::kStream)->messages)
            landscape.stream.push_back({seq, message.subject, message.stored_at, message.bytes});
        for (const auto& machine : machines_)
            landscape.services.push_back(
                {machine->name(), machine->store().db().handle(),
                 nlohmann::json::parse(runtime::contract_json(machine->contract()))});
        for (const verify::Violation& found : verify::check(landscape, {}))
            course_.violations.push_back(fmt::format("{}: {} {}: {}", found.invariant,
                                                     found.service, found.saga, found.what));
    }

    std::span<const flow::Contract> contracts_;
    std::vector<flow::Model> models_;
    Trial trial_;
    Chance chance_;
    Course course_;
    Outcome outcome_;
    std::map<std::string, Told> told_;
    Schedule schedule_;
    Broker broker_;
    Bank bank_;
    Weather::Machines machines_;
    Customer customer_;
    Weather weather_;
};

}  // namespace

std::string word_of(const flow::Finding& finding) {
    return word_of(finding.what, finding.about);
}

Course try_out(std::span<const flow::Contract> contracts, const Trial& trial, bool sound) {
    return Stage(contracts, trial).run(sound);
}

}  // namespace saga::sim
