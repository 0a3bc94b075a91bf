// One item of a round: what is loaded for it, which rule it falls under, what comes after.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "saga/core/limits.hpp"
#include "saga/runtime/operations.hpp"
#include "saga/runtime/worker.hpp"
#include "saga/store/failpoint.hpp"

namespace saga::runtime {

/// `apart`: its handlers run as items of their own.
core::Saga Worker::begin(core::SagaState& state, Origin origin, bool apart) {
    executor_.begin(state, std::move(origin), now_);
    const Time from(std::chrono::microseconds(store_.meta.number(store::Meta::kJournalFrom)));
    return {contract_,
            state,
            executor_,
            {.journal_from = from, .careful = careful_ > 0, .apart = apart}};
}

// ---- a message ----------------------------------------------------------------------------------

void Worker::apply(const Delivery* delivery) {
    const std::uint64_t handled = last_ ? last_->seq : store_.cursor.position().seq;
    if (delivery->seq <= handled) return;
    last_ = core::Checkpoint{delivery->seq, delivery->stored_at, {}};
    const auto read = core::decode(delivery->bytes);
    if (const auto* unreadable = std::get_if<core::Unreadable>(&read))
        return reject(*delivery, "unreadable: " + unreadable->why);
    const core::Envelope& envelope = std::get<core::Envelope>(read);
    last_->id = envelope.id;
    if (const auto why = core::spoofed(delivery->subject, envelope))
        return reject(*delivery, "spoofed: " + *why);
    const core::Message message(delivery->bytes, envelope, delivery->seq, delivery->stored_at);
    if (envelope.source == contract_.service) mine(message);
    ++counts_.handled;
    if (!core::Saga::has_role(contract_, envelope)) return;
    core::SagaState state = store_.load(envelope.saga);
    Origin origin = origin_of(message);
    origin.subject = delivery->subject;
    begin(state, std::move(origin)).on_event(message);
    if (envelope.kind != Kind::ended) store_.keep(std::move(state));  // the last that comes
}

void Worker::reject(const Delivery& delivery, std::string_view why) {
    nobody_.row.id = "unknown";
    begin(nobody_, {});
    executor_.dead_message(delivery.subject, delivery.bytes, delivery.seq, delivery.stored_at, why);
    ++counts_.dead;
}

/// An event of this service's own name: its outbox row is settled, or there is another explanation.
void Worker::mine(const core::Message& message) {
    const core::Envelope& e = message.envelope();
    if (const auto row = store_.outbox.find(e.id)) {
        store_.outbox.settle(*row, message.seq(), std::max(now_, e.time));
        settled_.push_back(*row);
    } else if (catching_up()) {
        adopt(message);
    } else if (!published(e)) {
        throw ForeignInstance(fmt::format(
            "the stream has the event {} ({} of saga {}, sequence {}) under the name of {}, and "
            "this database never published it: another instance runs on a copy of it; stop that "
            "one, and start this one again",
            e.id.text(), e.type, e.saga, message.seq(), contract_.service));
    }
    // Whoever catches up has no outbox row that shows it to be its own.
    if (e.type == kOperatorActed && (!catching_up() || may_be_own(e))) obey(message);
}

/// Catching up: what the world has seen of this service, and this database has not done by itself.
void Worker::adopt(const core::Message& message) {
    const core::Envelope& e = message.envelope();
    const auto recorded = store_.recorded.find(e.id);
    if (!recorded) return;
    const bool copy = recorded->stands() && message.seq() > *recorded->stands();
    if (copy || adopt_waiting(e)) return;  // a copy: what follows it followed the first one
    core::SagaState state = store_.load(e.saga);
    state.row.id = e.saga;
    if (state.row.key == 0) state.row.started = e.started;
    core::Saga saga = begin(state, origin_of(message));
    const auto keep = [&] {
        if (state.row.key == 0) executor_.know(state.row);
        store_.outbox.insert({.seq = 0,
                              .id = e.id,
                              .saga = state.row.key,
                              .subject = executor_.subject_of(e),
                              .envelope = {message.bytes().begin(), message.bytes().end()}},
                             std::max(now_, e.time), recorded->stands());
        store_.recorded.erase(e.id);
    };
    if (e.type == kOperatorActed) {
        if (may_be_own(e)) keep();
        return;
    }
    for (const detail::CommandCode& command : contract_.commands) {
        if (executor_.id_of(command.verb, core::Role::command, 0, {}) != e.id) continue;
        keep();
        EventId fingerprint;  // zero, of a command that is not to be read: every body conflicts
        if (const auto plain = key_.open(e.id, e.sealed); plain && plain->size() == 16)
            std::memcpy(fingerprint.bytes.data(), plain->data(), 16);
        store_.commands.insert(state.row.key, command.verb,
                               {fingerprint, e.id, std::string(command.accepts->name)});
        return;
    }
    if (adopt_answer(state, e)) return;
    const auto timers = store_.timers.of(state.row.key);
    for (const core::StepRow& row : std::vector(state.steps)) {
        const std::optional<std::uint32_t> nth = deadline_of(row, e);
        if (!nth) continue;
        const store::Timers::Row timer{state.row.key, row.step, row.run, *nth};
        const bool stands = std::find(timers.begin(), timers.end(), timer) != timers.end();
        return stands ? saga.on_timer(row, *nth) : keep();  // what ends it came before its event
    }
}

/// What waits here and led to it is tried now, whenever it is due, for what follows in the stream
/// came later; and so are events of its saga whose turn has come.
bool Worker::adopt_waiting(const core::Envelope& own) {
    for (std::size_t tries = 0; tries <= core::kMaxQueued; ++tries) {
        core::SagaState state = store_.load(own.saga);
        begin(state, {});
        const core::ParkedRow* first = nullptr;
        const core::ParkedRow* led = nullptr;
        for (const core::ParkedRow& row : state.parked) {
            if (row.blocks() && (first == nullptr || row.place < first->place)) first = &row;
            if (leads_to(row, own)) led = &row;
        }
        const bool in_turn = first != nullptr && first->state == core::Parking::behind;
        if (led == nullptr && !in_turn) return false;
        apply(Retry{state.row.key, led != nullptr ? led->position : first->position});
        if (!store_.recorded.find(own.id)) return true;
        if (led != nullptr) return false;
    }
    return false;
}

bool Worker::leads_to(const core::ParkedRow& row, const core::Envelope& own) const {
    if (row.what != core::Waits::step) return false;
    const detail::StepCode* step = core::find_step(contract_, row.step);
    const bool each = step != nullptr && step->once_per_event;
    return executor_.id_of(row.step, core::Role::outcome, 0, each ? row.event : EventId{}) ==
           own.id;
}

/// Which of the step's deadlines asked by this event.
std::optional<std::uint32_t> Worker::deadline_of(const core::StepRow& row,
                                                 const core::Envelope& event) const {
    const detail::StepCode* step = core::find_step(contract_, row.step);
    if (step == nullptr) return std::nullopt;
    for (std::size_t nth = 0; nth < step->expects.size(); ++nth) {
        const std::uint32_t deadline = core::deadline_of(*step, nth);
        for (std::uint32_t slot = 0; slot < step->expects[nth].asks.size(); ++slot)
            if (executor_.id_of(row.step, core::Role::timer, (deadline << 16) + slot, row.run) ==
                event.id)
                return deadline;
    }
    return std::nullopt;
}

/// What came of a call that is open here: its answer is on record. The handlers see the time that
/// they saw then: an undo's is that of its event.
bool Worker::adopt_answer(core::SagaState& state, const core::Envelope& own) {
    for (const store::Calls::Seen& call : store_.calls.of(state.row.key)) {
        const core::StepRow asked{.step = call.row.step, .run = call.row.run};
        const bool forward = call.row.part == core::Part::step;
        const auto role = forward ? core::Role::outcome : core::Role::undo;
        if (executor_.id_of(asked.step, role, 0, asked.run) != own.id) continue;
        const auto row =
            std::find_if(state.steps.begin(), state.steps.end(), [&](const core::StepRow& each) {
                return each.step == asked.step && each.run == asked.run;
            });
        const EventId cause = row == state.steps.end() ? EventId{} : row->event;
        begin(state, {.cause = cause, .time = forward ? Time{} : own.time})
            .on_answer(asked, call.row.part, {});
        return true;
    }
    return false;
}

namespace {

/// In the life before the call was given up, and passed over; in this one it is open, and not made.
void obey_about_call(core::Saga& saga, const core::SagaState& state, const Operated& word) {
    if (word.what != name_of(core::Waits::call) || word.operation == core::Operation::retry) return;
    const auto its = [&](const core::StepRow& row) {
        const bool open =
            row.state == core::StepState::calling || row.state == core::StepState::undoing;
        return open && row.step == word.step && row.run == word.event_id;
    };
    const auto row = std::find_if(state.steps.begin(), state.steps.end(), its);
    if (row == state.steps.end()) return;
    const auto part = row->state == core::StepState::calling ? core::Part::step : core::Part::undo;
    saga.on_operation(word.operation,
                      {.what = core::Waits::call,
                       .step = row->step,
                       .nth = static_cast<std::uint32_t>(part),
                       .run = row->run},
                      nullptr);
}

/// In the life before the timer was given up; in this one it has not fired.
void obey_about_timer(core::Saga& saga, const std::vector<store::Timers::Row>& timers,
                      const Operated& word) {
    if (word.what != name_of(core::Waits::timer) || word.operation == core::Operation::retry)
        return;
    std::vector<core::ParkedRow> meant;
    for (const store::Timers::Row& timer : timers) {
        meant.push_back(
            {.what = core::Waits::timer, .step = timer.step, .nth = timer.nth, .run = timer.run});
        if (!concerns(word, meant.back())) meant.pop_back();
    }
    if (meant.size() == 1) saga.on_operation(word.operation, meant.front(), nullptr);
}

}  // namespace

/// An operator's word that this service published and now reads back.
void Worker::obey(const core::Message& message) {
    const std::optional<Operated> word = read_operation(message.envelope().payload);
    if (!word) return;
    core::SagaState state = store_.load(message.envelope().saga);
    if (word->what == "aside") {
        const auto row = store_.aside.find(word->position);
        if (!row || row->event_id != word->event_id) return;
        store_.aside.erase(word->position);
        if (word->operation != core::Operation::retry) return;
        const auto read = core::decode(row->message);
        const auto* envelope = std::get_if<core::Envelope>(&read);
        if (envelope == nullptr)
            return reject({row->subject, row->message, row->stream_seq, row->stored_at},
                          row->reason);
        if (const auto why = core::spoofed(row->subject, *envelope))
            return reject({row->subject, row->message, row->stream_seq, row->stored_at},
                          "spoofed: " + *why);
        const core::Message again(row->message, *envelope, row->stream_seq, row->stored_at);
        core::SagaState other = store_.load(envelope->saga);
        return begin(other, origin_of(again), true).on_event(again);
    }
    if (state.row.key == 0) return;
    core::Saga saga = begin(state, origin_of(message));
    if (executor_.reacted(kOperationStep, message.envelope().id)) return;
    executor_.remember(kOperationStep, message);
    // The one that was named; in a database that was restored it may stand in another place.
    const auto place = [&](const core::ParkedRow& each) { return each.position == word->position; };
    std::stable_partition(state.parked.begin(), state.parked.end(), place);
    const auto row =
        std::find_if(state.parked.begin(), state.parked.end(),
                     [&](const core::ParkedRow& each) { return concerns(*word, each); });
    if (row == state.parked.end()) {
        if (!catching_up()) return;
        obey_about_call(saga, state, *word);
        return obey_about_timer(saga, store_.timers.of(state.row.key), *word);
    }
    const store::Parked::Event stands = store_.parked.event(row->position);
    const auto read = core::decode(stands.envelope);
    if (const auto* envelope = std::get_if<core::Envelope>(&read)) {
        const core::Message event(stands.envelope, *envelope, stands.stream_seq, stands.stored_at);
        saga.on_operation(word->operation, *row, &event);
    } else {
        saga.on_operation(word->operation, *row, nullptr);
    }
}

// ---- what waited --------------------------------------------------------------------------------

void Worker::apply(const Retry& retry) {
    core::SagaState state = store_.load(retry.saga);
    const auto row =
        std::find_if(state.parked.begin(), state.parked.end(),
                     [&](const core::ParkedRow& each) { return each.position == retry.position; });
    // An item before it in this round may have settled it.
    if (row == state.parked.end() || row->state == core::Parking::dead) return;
    const store::Parked::Event stands = store_.parked.event(retry.position);
    const auto read = core::decode(stands.envelope);
    if (const auto* envelope = std::get_if<core::Envelope>(&read)) {
        const core::Message event(stands.envelope, *envelope, stands.stream_seq, stands.stored_at);
        Origin origin = origin_of(event);
        origin.waited = true;
        begin(state, std::move(origin)).on_retry(*row, &event);
    } else {
        const auto step =
            std::find_if(state.steps.begin(), state.steps.end(), [&](const core::StepRow& each) {
                return each.step == row->step && each.run == row->run;
            });
        const EventId cause = step == state.steps.end() ? EventId{} : step->event;
        begin(state, {.cause = cause, .time = now_, .waited = true}).on_retry(*row, nullptr);
    }
}

void Worker::apply(const Due& due) {
    core::SagaState state = store_.load(due.timer.saga);
    const auto row =
        std::find_if(state.steps.begin(), state.steps.end(), [&](const core::StepRow& each) {
            return each.step == due.timer.step && each.run == due.timer.run;
        });
    if (row == state.steps.end()) return store_.timers.erase(due.timer);
    SAGA_FAILPOINT(timer);
    const core::StepRow step = *row;
    begin(state, {.cause = step.event, .time = now_}).on_timer(step, due.timer.nth);
}

void Worker::apply(const CallResult* result) {
    SAGA_FAILPOINT(answered);
    const auto call = store_.calls.find(result->call);
    if (!call) return;
    if (unclean_) done_with(item_of(result->call));
    core::SagaState state = store_.load(call->saga);
    const auto found =
        std::find_if(state.steps.begin(), state.steps.end(), [&](const core::StepRow& each) {
            return each.step == call->step && each.run == call->run;
        });
    if (found == state.steps.end()) return store_.calls.erase(call->call);
    const core::StepRow row = *found;
    // The handlers see the time of what started the step; an undo that of its question's answer.
    const bool forward = call->part == core::Part::step;
    // What came of it may be on record, if it came out otherwise while this service caught up.
    core::Saga saga =
        begin(state, {.cause = row.event, .time = forward ? Time{} : now_, .waited = true});
    if (result->answer) {
        saga.on_answer(row, call->part, *result->answer);
        return store_.keep(std::move(state));
    }
    if (result->last) store_.calls.update(call->call, call->attempts, std::nullopt, result->why);
    if (result->last || !executor_.retry_call(row, call->part, result->why, false))
        saga.on_dead_call(row, call->part, result->why);
}

}  // namespace saga::runtime
