// I2: what one transaction writes stands together: journal, inbox, outbox, timers, calls.
#include <algorithm>

#include "saga/verify/checks.hpp"

namespace saga::verify {
namespace {

using core::Part;
using core::StepState;

class TransactionsCheck {
  public:
    TransactionsCheck(const Facts& facts, const Service& service, Report& report)
        : facts_(facts), service_(service), report_(report) {}

    void run() {
        orphans();
        for (const auto& [key, known] : service_.sagas) {
            outcomes(known);
            commands(known);
            for (const std::size_t at : known.outbox) origin(known, service_.outbox[at]);
            for (const CallRow& call : known.calls) this->call(known, call);
            for (const TimerRow& timer : known.timers)
                if (known.step(timer.step, timer.run) == nullptr)
                    wrong(known, "a timer of the step {} runs, which never ran", timer.step);
            for (const StepRow& row : known.steps) waiting(known, row);
        }
    }

  private:
    template <class... Args>
    void wrong(const Known& known, fmt::format_string<Args...> text, Args&&... args) {
        report_.add(service_.name, known.row.id, text, std::forward<Args>(args)...);
    }
    void orphans();
    void outcomes(const Known& known);
    void commands(const Known& known);
    void origin(const Known& known, const OutRow& row);
    void call(const Known& known, const CallRow& call);
    void waiting(const Known& known, const StepRow& row);

    const Facts& facts_;
    const Service& service_;
    Report& report_;
};

void TransactionsCheck::orphans() {
    for (const Service::Orphan& orphan : service_.orphans) {
        if (orphan.started && facts_.may_be_pruned(*orphan.started)) continue;
        report_.add(service_.name, "", "a row of {} belongs to the saga {}, which has no row",
                    orphan.table, orphan.saga);
    }
}

/// Each name in the journal is a row of the outbox, and the other way round.
void TransactionsCheck::outcomes(const Known& known) {
    const bool old = facts_.may_be_pruned(known.row.started);
    for (const Published& each : published(service_, known)) {
        if (each.journalled > each.sent && !old)
            wrong(known, "the step {} ran for {} of {}, and {} stand in the outbox", each.step,
                  each.journalled, each.name, each.sent);
        if (each.journalled == 0 && each.sent > each.excused)
            wrong(known,
                  "{} of the step {} stands in the outbox, and the journal has no such thing",
                  each.name, each.step);
    }
}

void TransactionsCheck::commands(const Known& known) {
    for (const CommandRow& row : known.commands)
        if (!facts_.exists(row.event) && !facts_.may_be_pruned(known.row.started))
            wrong(known, "the command {} was accepted as {} ({}), which is nowhere", row.verb,
                  row.name, row.event.text());
}

void TransactionsCheck::origin(const Known& known, const OutRow& row) {
    if (row.notice()) return;
    const Event& event = row.event;
    const auto is_its = [&](const CommandRow& each) { return each.event == event.id; };
    const auto ran = [&](const StepRow& each) { return each.step == event.step; };
    // A record that nothing leads to: a stranger sent it, and an operator was told.
    if (service_.has(event.id, Trace::In::aside, "")) return;
    switch (origin_of(service_, event)) {
        case Origin::command:
            if (std::none_of(known.commands.begin(), known.commands.end(), is_its))
                wrong(known, "{} came of the command {}, which nobody gave", text_of(event),
                      event.step);
            break;
        case Origin::timer:
            if (std::none_of(known.steps.begin(), known.steps.end(), ran))
                wrong(known, "{} came of a timer of the step {}, which never ran", text_of(event),
                      event.step);
            break;
        case Origin::outcome:  // counted
        case Origin::operation:
            break;
    }
}

/// A call is open as long as its step waits for the answer.
void TransactionsCheck::call(const Known& known, const CallRow& call) {
    const StepRow* row = known.step(call.step, call.run);
    const StepState open = call.part == Part::step ? StepState::calling : StepState::undoing;
    if (row == nullptr)
        wrong(known, "the call {} belongs to the step {}, which never ran", call.call, call.step);
    else if (row->state != open)
        wrong(known, "the call {} is open, and its step {} is {}", call.call, call.step,
              name_of(row->state));
}

/// A step that waits has somebody to wait for.
void TransactionsCheck::waiting(const Known& known, const StepRow& row) {
    const auto calls = [&](Part part) {
        return std::any_of(known.calls.begin(), known.calls.end(), [&](const CallRow& each) {
            return each.step == row.step && each.run == row.run && each.part == part;
        });
    };
    const bool parked =
        std::any_of(known.parked.begin(), known.parked.end(), [&](const ParkedRow& each) {
            return each.what == core::Waits::undo && each.step == row.step && each.run == row.run;
        });
    if (row.state == StepState::calling && !calls(Part::step))
        wrong(known, "the step {} awaits an answer, and no call is open", row.step);
    if (row.state == StepState::undoing && !calls(Part::undo) && !parked)
        wrong(known, "the step {} is being undone, and nothing does it", row.step);
    if (row.state == StepState::undo_failed && !parked)
        wrong(known, "the undo of the step {} has given up, and no operator can see it", row.step);
}

}  // namespace

void check_transactions(const Facts& facts, const Options&, Report& report) {
    for (const Service& service : facts.services) TransactionsCheck(facts, service, report).run();
}

}  // namespace saga::verify
