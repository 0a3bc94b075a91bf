// After a restore: catching up. After an unclean stop: what killed the process.
#include <fmt/format.h>

#include <algorithm>

#include "saga/runtime/operations.hpp"
#include "saga/runtime/worker.hpp"
#include "saga/store/failpoint.hpp"

namespace saga::runtime {
namespace {

constexpr auto kDied = "the process died each time that this was on the table";

}  // namespace

void Worker::begin_catch_up(std::uint64_t until) {
    transaction([&] { store_.meta.set(store::Meta::kCatchUp, static_cast<std::int64_t>(until)); });
    SAGA_FAILPOINT(catching_up);
    catch_up_until_ = until;
    executor_.set_catching_up(true);
    executor_.set_passed_over(passed_over());
}

/// By the words that stand above the cursor.
std::set<Executor::Passed> Worker::passed_over() {
    std::set<Executor::Passed> passed;
    store_.recorded.each([&](Bytes bytes) {
        const auto read = core::decode(bytes);
        const core::Envelope& e = std::get<core::Envelope>(read);
        if (e.type != kOperatorActed || !may_be_own(e)) return;
        const auto word = read_operation(e.payload);
        if (word && word->operation != core::Operation::retry)
            passed.insert({std::string(e.saga), word->what, word->step, word->event_id,
                           word->nth.value_or(0)});
    });
    return passed;
}

void Worker::end_catch_up(Time now) {
    now_ = now;
    transaction([&] {
        std::set<std::int64_t> unlike;
        for (const auto& [saga, position] : store_.parked.unlike()) {
            unlike.insert(saga);
            core::SagaState state = store_.load(saga);
            begin(state, {.time = now});
            for (core::ParkedRow row : state.parked) {
                if (row.position != position) continue;
                row.state = core::Parking::dead;
                executor_.park(row, nullptr, "caught up, and still unlike what is on record",
                               false);
            }
        }
        while (const auto left = store_.recorded.first())
            close_record(left->first, left->second, unlike);
        store_.meta.erase(store::Meta::kCatchUp);
    });
    committed();
    catch_up_until_.reset();
    executor_.set_catching_up(false);
    executor_.set_passed_over({});
}

/// The world has seen it, and nothing here leads to it: an operator should know. Of a saga that
/// waits with something unlike its record an operator knows already: what is tried again there
/// finds its record in the outbox. What leads to one that the broker has lost may be lost with it,
/// and come again: it is published as it was, unless a stranger wrote it.
void Worker::close_record(const EventId& id, const store::Recorded::Row& row,
                          const std::set<std::int64_t>& unlike) {
    const auto read = core::decode(row.envelope);
    const core::Envelope& envelope = std::get<core::Envelope>(read);
    const core::Message message(row.envelope, envelope, row.stream_seq, {});
    if (row.lost && !may_be_own(envelope)) return store_.recorded.erase(id);
    if (row.lost) adopt(message);
    if (!store_.recorded.find(id)) return;
    core::SagaState state = store_.load(envelope.saga);
    begin(state, {.time = now_});
    if (!row.lost && !unlike.contains(state.row.key))
        executor_.dead_letter(message, {}, "on record, and nothing here leads to it any more");
    store_.outbox.insert({.seq = 0,
                          .id = id,
                          .saga = state.row.key,
                          .subject = executor_.subject_of(envelope),
                          .envelope = row.envelope},
                         std::max(now_, envelope.time), row.stands());
    store_.recorded.erase(id);
}

/// Whether the event's id is one that this service gives to one of its type: without the key nobody
/// can guess it. The doubt counts for a type that this build publishes no more, and for what runs
/// once for each event: of such a run the event does not tell.
bool Worker::may_be_own(const core::Envelope& event) const {
    const auto is = [&](std::string_view step, core::Role role, std::uint32_t slot, EventId run) {
        return key_.id(event.started, {contract_.service, event.saga, step, role, slot, run}) ==
               event.id;
    };
    if (event.type == kOperatorActed) {
        const auto nonce = key_.open(event.id, event.sealed);
        EventId run;
        if (!nonce || nonce->size() != run.bytes.size()) return false;
        std::memcpy(run.bytes.data(), nonce->data(), run.bytes.size());
        return is(kOperationStep, core::Role::operation, 0, run);
    }
    bool published = false;
    const auto gives = [&](const detail::StepCode& step, const std::vector<detail::Emits>& events,
                           core::Role role, std::uint32_t first_slot) {
        const auto is_type = [&](const auto& each) { return each.type->full == event.type; };
        if (std::ranges::none_of(events, is_type)) return false;
        published = true;
        if (step.once_per_event) return true;
        for (std::uint32_t slot = 0; slot < events.size(); ++slot)
            if (is(step.name, role, first_slot + slot, {})) return true;
        return false;
    };
    for (const detail::StepCode& step : contract_.steps) {
        if (gives(step, step.emits, core::Role::outcome, 0) ||
            gives(step, step.undone, core::Role::undo, 0))
            return true;
        for (std::size_t nth = 0; nth < step.expects.size(); ++nth)
            if (gives(step, step.expects[nth].asks, core::Role::timer,
                      core::deadline_of(step, nth) << 16))
                return true;
    }
    for (const detail::CommandCode& command : contract_.commands) {
        if (command.accepts->full != event.type) continue;
        published = true;
        if (is(command.verb, core::Role::command, 0, {})) return true;
    }
    return !published;
}

bool Worker::published(const core::Envelope& own) {
    if (store_.outbox.find(own.id)) return true;
    const auto before = [&](Time time, std::string_view forgotten) {
        return time.time_since_epoch().count() < store_.meta.number(forgotten);
    };
    if (before(own.started, store::Meta::kJournalFrom)) return true;
    if (!before(own.time, store::Meta::kOutboxFrom)) return false;
    // An operator's word about what stood aside may be of a saga that nothing here is known of.
    return own.type == kOperatorActed || store_.sagas.find(own.saga).key != 0;
}

/// Calls work(saga, message, reaction) for each of the reactions that has not seen the event;
/// whether there was one.
template <class Work>
bool Worker::for_each_missed(const Delivery& delivery, const std::set<std::string>& reactions,
                             Work work) {
    if (!subscription_.shard().takes_subject(delivery.subject)) return false;
    const auto read = core::decode(delivery.bytes);
    const auto* envelope = std::get_if<core::Envelope>(&read);
    if (envelope == nullptr || core::spoofed(delivery.subject, *envelope)) return false;
    const core::Message message(delivery.bytes, *envelope, delivery.seq, delivery.stored_at);
    bool any = false;
    for (const detail::ReactionCode& reaction : contract_.reactions) {
        if (!reactions.contains(std::string(reaction.on->name))) continue;
        core::SagaState state = store_.load(envelope->saga);
        core::Saga saga = begin(state, origin_of(message));
        if (!saga.missed(message, reaction)) continue;
        work(saga, message, reaction);
        any = true;
    }
    return any;
}

void Worker::catch_up_reactions(const std::deque<Delivery>& missed,
                                const std::set<std::string>& reactions, Time now) {
    now_ = now;
    auto next = missed.begin();
    for (; careful_ > 0 && next != missed.end(); ++next) catch_up_alone(*next, reactions);
    const auto apply = [](core::Saga& saga, const auto& message, const auto& reaction) {
        saga.on_missed(message, reaction);
    };
    transaction([&] {
        for (; next != missed.end(); ++next) for_each_missed(*next, reactions, apply);
    });
}

/// As commit_one_by_one() does with an item.
void Worker::catch_up_alone(const Delivery& delivery, const std::set<std::string>& reactions) {
    if (!for_each_missed(delivery, reactions, [](auto&&...) {})) return;
    const std::string name = fmt::format("missed {}", delivery.seq);
    const bool gone = !count(name, [] {});
    transaction([&] {
        for_each_missed(delivery, reactions,
                        [&](core::Saga& saga, const auto& message, const auto& reaction) {
                            if (gone)
                                park_dead(message, core::Waits::reaction, reaction.on->name);
                            else
                                saga.on_missed(message, reaction);
                        });
        done_with(name);
    });
    --careful_;
}

/// Counts what is about to be on the table, in a transaction of its own; false: the process died of
/// it too often, and `too_often` was run with it. `weight`: of this death, and of each of the
/// `most` that it may have.
bool Worker::count(const std::string& item, const std::function<void()>& too_often, int weight,
                   int most) {
    if (counted_.contains(item)) return true;
    bool may = true;
    transaction([&] {
        may = store_.attempts.add(item, weight) <= weight * most;
        if (!may) too_often();
    });
    counted_.insert(item);
    return may;
}

void Worker::done_with(const std::string& item) {
    store_.attempts.erase(item);
    counted_.erase(item);
}

/// As it is counted while it is made; its answer is counted as any item.
std::string Worker::item_of(std::int64_t call) {
    return fmt::format("perform {}", call);
}

bool Worker::died_with(std::int64_t call) {
    return store_.attempts.times(item_of(call)) >= core::kEarlyDeath;
}

bool Worker::count_call(std::int64_t call) {
    --careful_calls_;
    return count(
        item_of(call), [] {}, core::kEarlyDeath, core::kMaxCallCrashes);
}

void Worker::survived(std::span<const std::int64_t> calls) {
    transaction([&] {
        for (const std::int64_t call : calls)
            store_.attempts.add(item_of(call), 1 - core::kEarlyDeath);
    });
}

std::string Worker::name_of(const Item& item) const {
    struct Name {
        std::string operator()(const Retry& retry) const {
            return fmt::format("parked {}", retry.position);
        }
        std::string operator()(const Due& due) const {
            return fmt::format("timer {} {} {} {}", due.timer.saga, due.timer.step,
                               due.timer.run.text(), due.timer.nth);
        }
        std::string operator()(const CallResult* result) const {
            return fmt::format("call {}", result->call);
        }
        std::string operator()(const Delivery* delivery) const {
            return fmt::format("message {}", delivery->seq);
        }
        std::string operator()(const Request* request) const {
            return fmt::format("request {} {}", request->verb,
                               key.digest(request->verb, request->body).text());
        }
        const core::IdKey& key;
    };
    return std::visit(Name{key_}, item);
}

/// It was on the table each time the process died. True: there is nothing left to do of it; a
/// message still has to be counted as read, and a failure as heard.
bool Worker::give_up(const Item& item) {
    return std::visit([this](const auto& each) { return bury(each); }, item);
}

bool Worker::bury(const Retry& retry) {
    core::SagaState state = store_.load(retry.saga);
    begin(state, {.time = now_});
    for (core::ParkedRow row : state.parked) {
        if (row.position != retry.position) continue;
        row.state = core::Parking::dead;
        executor_.park(row, nullptr, kDied, false);
    }
    return true;
}

bool Worker::bury(const Due& due) {
    core::SagaState state = store_.load(due.timer.saga);
    begin(state, {.time = now_});
    store_.timers.erase(due.timer);
    core::ParkedRow row{.place = 1,
                        .what = core::Waits::timer,
                        .step = due.timer.step,
                        .nth = due.timer.nth,
                        .run = due.timer.run,
                        .state = core::Parking::dead};
    executor_.park(row, nullptr, kDied, false);
    return true;
}

bool Worker::bury(const CallResult* result) {
    const auto call = store_.calls.find(result->call);
    if (!call) return true;
    core::SagaState state = store_.load(call->saga);
    store_.calls.update(call->call, call->attempts, std::nullopt, kDied);
    begin(state, {.time = now_})
        .on_dead_call({.step = call->step, .run = call->run}, call->part, kDied);
    return true;
}

bool Worker::bury(const Delivery* delivery) {
    const auto read = core::decode(delivery->bytes);
    if (const auto* envelope = std::get_if<core::Envelope>(&read))
        park_dead({delivery->bytes, *envelope, delivery->seq, delivery->stored_at},
                  core::Waits::event, {});
    return false;
}

/// Unless a start that went no further did so.
void Worker::park_dead(const core::Message& message, core::Waits what, std::string_view step) {
    const core::Envelope& envelope = message.envelope();
    core::SagaState state = store_.load(envelope.saga);
    begin(state, origin_of(message));
    if (state.row.key == 0) {
        state.row.id = envelope.saga;
        state.row.started = envelope.started;
        executor_.know(state.row);
    }
    std::uint32_t place = 0;
    for (const core::ParkedRow& each : state.parked) {
        if (each.event == envelope.id && each.step == step) return;
        place = std::max(place, each.place);
    }
    core::ParkedRow row{.place = place + 1,
                        .what = what,
                        .step = std::string(step),
                        .event = envelope.id,
                        .forward = envelope.forward(),
                        .state = core::Parking::dead};
    executor_.park(row, &message, kDied, false);
}

bool Worker::bury(const Request* request) {
    replies_.push_back({request->token, refused("failed", kDied)});
    return true;
}

}  // namespace saga::runtime
