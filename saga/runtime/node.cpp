#include "saga/runtime/node.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "saga/core/subject.hpp"
#include "saga/store/failpoint.hpp"

namespace saga::runtime {
namespace {

constexpr auto kIdleMove = std::chrono::seconds(1);  // an idle cursor is written so often
/// Between two turns, at most. A turn that comes as late again was kept from running: before
/// anybody who asked then can take silence for an end.
constexpr auto kBeat = core::kOwnerAnswers / 2;

std::size_t bytes_in(const std::deque<Delivery>& messages) {
    std::size_t bytes = 0;
    for (const Delivery& message : messages) bytes += message.bytes.size();
    return bytes;
}

}  // namespace

Node::Node(const Contract& contract, store::Store& store, const core::IdKey& key, bus::Bus& bus,
           Clock& clock, Random& random, Caller& caller, Options options)
    : contract_(contract),
      store_(store),
      key_(key),
      bus_(bus),
      clock_(clock),
      caller_(caller),
      options_(std::move(options)),
      self_{contract.service, options_.worker.shard},
      name_(self_.name()),
      reserve_(store.db().path() + ".reserve", options_.reserve_bytes),
      timeline_(clock),
      relay_(bus, store.outbox, options_.room),
      worker_(contract, store, key, random, relay_.events(), options_.worker),
      reader_(bus, name_),
      ownership_(bus, {.name = self_,
                       .instance = options_.instance,
                       .db_id = database_id(store, random),
                       .key = key.fingerprint().text(),
                       .epoch = store.meta.number(store::Meta::kEpoch),
                       .where = options_.where,
                       .rebuild = options_.rebuild}),
      link_(bus, store, worker_, relay_, reader_, ownership_, in_, contract,
            {.accept_history_loss = options_.accept_history_loss, .rebuild = options_.rebuild}),
      backups_(store.db(), timeline_, {name_, options_.key_path, options_.backups}),
      desk_(contract, store, bus, backups_, clock,
            {.name = self_,
             .instance = options_.instance,
             .version = options_.version,
             .where = options_.where,
             .started = timeline_.now()},
            [this] { return state_json(); }),
      pruner_(contract, store, options_.horizons) {
    reserve_.take();
    relay_.reload();
    look_ahead();
}

// ---- a turn -------------------------------------------------------------------------------------

bus::Steady Node::turn(std::size_t items) {
    now_ = clock_.steady();
    // Whoever asked for us while we were paused had no answer, and may have taken over.
    if (now_ - kBeat >= expected_) ownership_.doubt(now_);
    try {
        bus_.poll(*this, now_);
        if (!denied_.empty()) throw Error(denied_);
        if (link_.refusal()) refuse(*link_.refusal());
        if (now_ >= full_until_ && make_room()) {
            link_.tick(now_, timeline_.now());
            listen();
            gather();
            if (!alone()) {
                work(items);
                prune();
            }
            reader_.set_waiting(in_.messages.size(), bytes_in(in_.messages));
            backups_.step();
        } else {  // full: it says so, and that it is there
            link_.look(now_);
            listen();
        }
    } catch (const store::DiskFull& full) {
        store_.rollback();
        relay_.reload();
        link_.start_over(now_);
        disk_full(full);
    }
    if (ownership_.holds(now_)) relay_.pump(now_);
    try {
        start_calls();
    } catch (const store::DiskFull& full) {  // nothing was started
        disk_full(full);
    }
    introduce();
    bus_.flush();
    if (!relay_.idle()) SAGA_FAILPOINT(sent);
    return expected_ = std::clamp(next_turn(), now_, now_ + kBeat);
}

/// A start that comes to nothing leaves the name to the database that had it.
void Node::refuse(const std::string& why) {
    if (!link_.began()) ownership_.give_back();
    bus_.flush();
    throw Error(why);
}

/// Only the owner of the name acts; while the broker is away it works on with what it has: nobody
/// hears of it before the name was looked at again.
bool Node::may_act() const {
    const bool owner =
        link_.state() == LinkState::down ? ownership_.held_once() : ownership_.holds(now_);
    return owner && link_.began() && !link_.refusal();
}

/// A call that was on its way at a death is, for as long as it may kill where it begins: nothing
/// else that might kill is done meanwhile, and blamed on it.
bool Node::alone() const {
    return suspect_ && in_.answers.empty();
}

void Node::gather() {
    if (draining_) reader_.close();
    std::optional<Time> passed_over;
    std::deque<bus::StoredMessage> messages;
    if (link_.reading()) messages = reader_.take();
    for (bus::StoredMessage& message : messages) {
        const auto stored = std::chrono::floor<std::chrono::microseconds>(message.stored_at);
        if (stored > timeline_.now()) timeline_.hear(stored, now_);
        if (!worker_.subscription().wants(message.subject)) {
            passed_over = stored;
            continue;
        }
        in_.messages.push_back(
            {std::move(message.subject), std::move(message.bytes), message.seq, message.stored_at});
    }
    if (!in_.messages.empty()) SAGA_FAILPOINT(pulled);
    // All that was stored before is handled: what others have to do keeps no timer waiting.
    else if (passed_over)
        in_.timers_until = std::max(in_.timers_until.value_or(Time{}), *passed_over);
    // What concerns nobody here moves the cursor along with other work, or now and then.
    const std::uint64_t cursor = store_.cursor.position().seq;
    const bool far = reader_.read_to() > cursor + core::kMaxReady;
    if (!draining_ && link_.reading() && (!in_.messages.empty() || far || now_ >= next_move_)) {
        in_.read_to = reader_.read_to();
        next_move_ = now_ + kIdleMove;
    }
    for (CallResult& result : caller_.take()) in_.answers.push_back(std::move(result));
    for (const auto& letter : relay_.take_stored_letters()) in_.stored_letters.push_back(letter);
    if (const auto heard = ownership_.take_time()) {
        timeline_.hear(std::chrono::floor<std::chrono::microseconds>(heard->first), heard->second);
        store_.meta.set(store::Meta::kEpoch, ownership_.epoch());
    }
}

void Node::work(std::size_t items) {
    more_ = false;
    if (!may_act()) return;
    const Time time = timeline_.now();
    const bool due = (next_retry_ && *next_retry_ <= time) ||
                     (next_timer_ && in_.timers_until && *next_timer_ <= *in_.timers_until);
    const bool moves = in_.read_to > store_.cursor.position().seq;
    if (!due && !moves && in_.messages.empty() && in_.answers.empty() && in_.requests.empty() &&
        in_.stored_letters.empty()) {
        if (!disk_.empty()) try_disk();
        return confirm_head();
    }
    std::vector<std::int64_t> answered;
    for (const CallResult& result : in_.answers) answered.push_back(result.call);
    Committed done = worker_.round(in_, time, items);
    answered.resize(answered.size() - in_.answers.size());  // taken from the front
    answered_calls(answered);
    disk_.clear();
    more_ = done.more;
    relay_.add(std::move(done.published));
    if (!done.replies.empty()) SAGA_FAILPOINT(replying);
    for (const Reply& reply : done.replies) desk_.reply(reply);
    const core::StoreTime last = store_.cursor.last_stored_at();
    in_.timers_until = std::max(in_.timers_until.value_or(Time{}),
                                std::chrono::floor<std::chrono::microseconds>(last));
    if (link_.reading())
        relay_.passed(in_.messages.empty() ? reader_.read_to() : store_.cursor.position().seq);
    look_ahead();
    confirm_head();
}

/// It was full, and nothing is to be written: without a try nobody would know that there is room.
void Node::try_disk() {
    store_.db().begin();
    store_.meta.set(store::Meta::kEpoch, ownership_.epoch());
    store_.db().commit();
    disk_.clear();
}

/// A timer is due and nothing is left to read, as far as we know: the broker must say so.
void Node::confirm_head() {
    const Time asked = timeline_.now();
    const bool due = next_timer_ && *next_timer_ <= asked &&
                     (!in_.timers_until || *in_.timers_until < *next_timer_);
    if (!due || probing_ || !link_.reading() || !reader_.at_head() || !in_.messages.empty() ||
        worker_.catching_up())
        return;
    probing_ = true;
    bus_.consumer_state(reader_.consumer(), [this, asked](const auto& result) {
        probing_ = false;
        const auto* state = std::get_if<bus::ConsumerState>(&result);
        const bool head = state != nullptr && state->pending == 0 &&
                          state->delivered == reader_.delivered() && reader_.at_head();
        if (head && in_.messages.empty()) in_.timers_until = asked;
    });
}

void Node::look_ahead() {
    next_retry_ = store_.parked.next_due();
    next_timer_ = store_.timers.next_due();
    next_call_ = store_.calls.next_due();
}

/// Only the owner answers: one that still asks who it is would be answered by itself.
void Node::listen() {
    const bool owner = link_.state() > LinkState::owning && ownership_.holds(now_);
    if (listening_ || draining_ || !owner) return;
    listening_ = true;
    bus_.listen(desk_.subjects());
}

bus::Steady Node::steady_of(Time due) const {
    const Time time = timeline_.now();
    return due <= time ? now_ : now_ + (due - time);
}

bus::Steady Node::next_turn() const {
    if (now_ < full_until_) return full_until_;
    if ((more_ && !alone()) || backups_.busy()) return now_;
    bus::Steady next = link_.next_tick();
    if (ownership_.holds(now_)) next = std::min(next, relay_.next_pump());
    if (!may_act()) return next;
    for (const auto& [call, since] : counted_) next = std::min(next, since + core::kCallSurvives);
    if (alone()) return next;
    next = std::min(next, next_prune_);
    if (next_retry_) next = std::min(next, steady_of(*next_retry_));
    const bool probe =
        next_timer_ && !probing_ && link_.reading() && reader_.at_head() && !worker_.catching_up();
    if (probe) next = std::min(next, steady_of(*next_timer_));
    const bool moves = link_.reading() && in_.read_to < reader_.read_to();
    if (moves) next = std::min(next, next_move_);
    const bool calls = next_call_ && running_.empty() && link_.judged() && ownership_.holds(now_) &&
                       !draining_ && !worker_.catching_up();
    if (calls) next = std::min(next, steady_of(*next_call_));
    return next;
}

// ---- stopping -----------------------------------------------------------------------------------

void Node::drain() {
    if (draining_) return;
    draining_ = true;
    bus_.unlisten();
    // An idle cursor goes along to what was read: if the stream is trimmed meanwhile, nothing of
    // ours is lost with it.
    const bool level = link_.reading() && in_.messages.empty() && !reader_.has_ready();
    const std::uint64_t read_to = level ? reader_.read_to() : 0;
    reader_.close();
    in_.forget_messages();
    in_.read_to = read_to;
}

std::string Node::undone() const {
    if (!draining_) return "it was not asked to stop";
    if (!running_.empty()) return "calls are on their way";
    if (!in_.answers.empty()) return "answers of calls wait";
    if (!in_.requests.empty()) return "requests wait";
    if (in_.read_to > store_.cursor.position().seq) return "the cursor is not where it has read to";
    if (!relay_.idle() && link_.state() != LinkState::down)
        return "the broker has not acknowledged all events";
    return {};
}

void Node::stop() {
    worker_.stop();
    ownership_.release();
    bus_.flush();
}

// ---- from the bus -------------------------------------------------------------------------------

void Node::connected(const bus::Server& server) {
    link_.connected(server, now_);
}

void Node::disconnected(std::string_view) {
    probing_ = listening_ = introduced_ = false;
    bus_.unlisten();
    link_.disconnected();
}

void Node::denied(std::string_view what) {
    denied_ = fmt::format(
        "the broker does not permit what {} needs ({}): give its user the rights "
        "that docs/protocol.md lists",
        name_, what);
}

void Node::delivered(bus::StoredMessage message, std::uint64_t nth, std::uint64_t pending) {
    reader_.on_message(std::move(message), nth, pending, now_);
}
void Node::heartbeat(std::uint64_t nth, std::uint64_t stream_seq) {
    reader_.on_heartbeat(nth, stream_seq, now_);
}
void Node::pull_ended(std::uint64_t, const bus::PullEnd& end) {
    reader_.on_pull_ended(end, now_);
}
void Node::consumer_lost(std::string_view why) {
    reader_.on_lost(why, now_);
}

void Node::acked(bus::Channel channel, std::uint64_t token, const bus::PubAck& ack) {
    relay_.on_acked(channel, static_cast<std::int64_t>(token), ack, now_);
}
void Node::refused(bus::Channel channel, const bus::Problem& problem) {
    relay_.on_refused(channel, problem, now_);
}
void Node::requested(bus::Request request) {
    desk_.take(std::move(request), in_, trouble());
}

}  // namespace saga::runtime
