#include "saga/runtime/link.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <limits>

#include "saga/bus/topology.hpp"
#include "saga/core/limits.hpp"
#include "saga/store/failpoint.hpp"

namespace saga::runtime {
namespace {

constexpr int kNoStream = 10059;
constexpr int kNoMessage = 10037;
constexpr auto kSecondLook = std::chrono::milliseconds(200);
constexpr auto kEnd = std::numeric_limits<std::uint64_t>::max();  // of a stream, and beyond

/// The reactions that have read the stream, as `meta` keeps them: one a line.
std::set<std::string> lines(std::string_view text) {
    std::set<std::string> found;
    while (!text.empty()) {
        const auto end = text.find('\n');
        found.emplace(text.substr(0, end));
        text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    }
    return found;
}

std::set<std::string> reactions_of(const Contract& contract) {
    std::set<std::string> names;
    for (const detail::ReactionCode& reaction : contract.reactions)
        names.emplace(reaction.on->name);
    return names;
}

/// Zero: it is no event.
EventId id_of(const bus::StoredMessage& message) {
    const auto read = core::decode(message.bytes);
    const auto* envelope = std::get_if<core::Envelope>(&read);
    return envelope == nullptr ? EventId{} : envelope->id;
}

}  // namespace

Link::Link(bus::Bus& bus, store::Store& store, Worker& worker, Relay& relay, Reader& reader,
           Ownership& ownership, Inbound& in, const Contract& contract, Options options)
    : bus_(bus),
      store_(store),
      worker_(worker),
      relay_(relay),
      reader_(reader),
      ownership_(ownership),
      in_(in),
      contract_(contract),
      options_(options) {}

void Link::connected(const bus::Server& server, bus::Steady now) {
    server_ = server;
    now_ = now;
    state_ = LinkState::owning;
    ownership_.assert_it(now);
}

void Link::disconnected() {
    state_ = LinkState::down;
    judging_ = false;
    suspicion_.clear();
    reader_.close();
    relay_.disconnected();
    ownership_.disconnected();
    in_.forget_messages();
    in_.timers_until.reset();
}

void Link::start_over(bus::Steady now) {
    if (state_ == LinkState::down || state_ == LinkState::owning) return;
    reader_.close();
    in_.forget_messages();
    judging_ = false;
    state_ = LinkState::judging;
    next_judgement_ = now + core::kPublishPause;
}

void Link::tick(bus::Steady now, Time time) {
    now_ = now;
    if (state_ == LinkState::down || refusal_) return;
    if (now >= ownership_.next_look()) ownership_.assert_it(now);
    if (ownership_.refusal()) {
        refusal_ = ownership_.refusal();
        return;
    }
    if (state_ == LinkState::owning && ownership_.holds(now)) {
        state_ = LinkState::judging;
        next_judgement_ = now;
    }
    // A consumer that was lost may have gone with its stream.
    if (std::exchange(reopened_, reader_.reopened()) != reader_.reopened()) next_judgement_ = now;
    if (state_ != LinkState::owning && !judging_ && now >= next_judgement_) judge();
    reader_.tick(now);
    if (state_ == LinkState::recording) record_more(time);
    if (state_ == LinkState::backfill) backfill_more(time);
    if (reading() && worker_.catching_up() && in_.messages.empty() && !reader_.has_ready() &&
        reader_.read_to() >= *worker_.catch_up_until()) {
        worker_.end_catch_up(time);
        relay_.reload();
        relay_.hold(false);
    }
}

bus::Steady Link::next_tick() const {
    if (state_ == LinkState::down) return bus::Steady::max();
    return std::min({ownership_.next_look(), judging_ ? bus::Steady::max() : next_judgement_,
                     reader_.next_tick()});
}

std::string Link::trouble() const {
    if (state_ == LinkState::down) return "not connected to the broker";
    if (state_ == LinkState::owning) return ownership_.trouble();
    if (!trouble_.empty()) return trouble_;
    if (!reader_.trouble().empty()) return reader_.trouble();
    switch (state_) {
        case LinkState::judging:
            return "it looks whether the stream is the one that it has read";
        case LinkState::recording:
            return fmt::format("it reads what it has published, {} to go", reader_.pending());
        case LinkState::backfill:
            return fmt::format("a new reaction reads what it missed, {} to go", reader_.pending());
        default:
            return {};
    }
}

void Link::failed(const bus::Problem& problem) {
    if (problem.code == kNoStream)
        return close("there is no stream SAGA on this broker: make it with `saga bootstrap`");
    judging_ = false;
    next_judgement_ = now_ + core::kPublishPause;
    trouble_ = problem.text;
}

/// Until the stream is as it must be: it is looked at again and again.
void Link::close(std::string why) {
    start_over(now_);
    relay_.hold(true);
    trouble_ = std::move(why);
}

// ---- is it the stream that we have read? --------------------------------------------------------

/// By what was read when it asked: what is handled meanwhile may be more than the answer knows of.
void Link::judge() {
    judging_ = true;
    bus_.stream_info([this, read = store_.cursor.position()](const auto& result) {
        if (const auto* problem = std::get_if<bus::Problem>(&result)) return failed(*problem);
        judged(std::get<bus::StreamInfo>(result), read);
    });
}

void Link::judged(const bus::StreamInfo& info, const core::Position& read) {
    stream_ = info;
    trouble_.clear();
    confirmed_ = false;
    const std::vector<std::string> faults = bus::stream_faults(info.config);
    if (!faults.empty())
        return close(
            fmt::format("the stream SAGA does not keep what this service relies on ({}): "
                        "mend it with `saga bootstrap --mend`, or see `saga doctor`",
                        fmt::join(faults, "; ")));
    if (read.created == core::StoreTime{}) return never_read();
    switch (core::judge(info.state, read)) {
        case core::Verdict::sound:
            if (info.state.deleted < read.deleted) forget_holes();
            return look_below(kEnd);
        case core::Verdict::remade:
            if (again("the stream was made anew")) go_back_to(0);
            return;
        case core::Verdict::went_back:
            if (again("the stream ends before what was read")) look_below(kEnd);
            return;
        case core::Verdict::hole:
            if (again("the stream has a hole"))
                look_below(info.first_hole == 0 ? kEnd : info.first_hole);
            return;
        case core::Verdict::history_lost:
            return history_lost();
    }
}

/// Age has taken holes that we knew: the next new one is one more than what is left.
void Link::forget_holes() {
    const core::Position position = store_.cursor.position();
    store_.db().begin();
    store_.cursor.adopt(position.created, position.seq, stream_.state.deleted);
    store_.db().commit();
}

void Link::never_read() {
    if (options_.rebuild && stream_.state.first_seq > 1) {
        refusal_ =
            "the stream no longer holds its first message, so nothing can be rebuilt "
            "from it: restore the database from a backup";
        return;
    }
    adopt();
}

void Link::history_lost() {
    if (options_.accept_history_loss) return adopt();
    refusal_ = fmt::format(
        "the stream begins at {}, and this service has read up to {}: what lies between is "
        "gone. Restore the stream, or start with --accept-history-loss to go on without it",
        stream_.state.first_seq, store_.cursor.position().seq);
}

/// Reads from where the stream begins.
void Link::adopt() {
    const core::StreamState& state = stream_.state;
    store_.db().begin();
    store_.cursor.adopt(state.created, state.first_seq - 1, state.deleted);
    store_.db().commit();
    sound();
}

/// Whether the same was seen before; if not, it is looked at again soon.
bool Link::again(std::string_view suspicion) {
    if (suspicion_ == suspicion) return confirmed_ = true;
    suspicion_ = suspicion;
    judging_ = false;
    next_judgement_ = now_ + kSecondLook;
    return false;
}

/// At the newest message below `seq` that was handled. The answer is about that one, whatever is
/// handled meanwhile.
void Link::look_below(std::uint64_t seq) {
    const auto checkpoint = store_.cursor.checkpoints().newest_below(seq);
    // Trimmed by age, it and all before it.
    if (!checkpoint || !core::can_look_at(*checkpoint, stream_.state))
        return confirmed_ ? go_back_to(stream_.state.first_seq - 1) : sound();
    bus_.message_at(checkpoint->seq, [this, checkpoint = *checkpoint](const auto& result) {
        looked_at(checkpoint, result);
    });
}

void Link::looked_at(const core::Checkpoint& checkpoint,
                     const bus::Result<bus::StoredMessage>& result) {
    bool holds = false;
    if (const auto* problem = std::get_if<bus::Problem>(&result)) {
        if (problem->code != kNoMessage) return failed(*problem);
    } else {
        const auto& message = std::get<bus::StoredMessage>(result);
        holds = core::holds(checkpoint, message.stored_at, id_of(message));
    }
    if (holds) return confirmed_ ? go_back_to(checkpoint.seq) : sound();
    if (!confirmed_ && !again("another message stands where one was read")) return;
    look_below(checkpoint.seq);
}

void Link::sound() {
    judging_ = false;
    suspicion_.clear();
    next_judgement_ = now_ + core::kStreamCheck;
    if (state_ == LinkState::reading) look_where_we_are();
    if (state_ != LinkState::judging) return;
    read_again();
    first_ || worker_.catching_up() ? record() : read();
}

/// Above the newest checkpoint nothing was handled, because nothing there concerned us; while we
/// were away the broker may have lost that part, and have other messages there now.
void Link::read_again() {
    const auto newest = store_.cursor.checkpoints().newest();
    const core::Position position = store_.cursor.position();
    const std::uint64_t seq = std::max(newest ? newest->seq : 0, stream_.state.first_seq - 1);
    if (seq >= position.seq) return;
    store_.db().begin();
    store_.cursor.rewind_to(seq, position.created, position.deleted);
    store_.db().commit();
}

/// A checkpoint where the reader stands: what concerns nobody here is not read again from far back.
void Link::look_where_we_are() {
    const auto newest = store_.cursor.checkpoints().newest();
    const std::uint64_t here = store_.cursor.position().seq;
    if (here < stream_.state.first_seq || (newest && newest->seq >= here)) return;
    bus_.message_at(here, [this, here](const bus::Result<bus::StoredMessage>& result) {
        const auto* message = std::get_if<bus::StoredMessage>(&result);
        const auto before = store_.cursor.checkpoints().newest();
        const std::uint64_t seq = store_.cursor.position().seq;
        if (message == nullptr || !reading() || seq < here || (before && before->seq >= here))
            return;
        store_.db().begin();
        store_.cursor.move_to(seq, core::Checkpoint{here, message->stored_at, id_of(*message)});
        store_.db().commit();
    });
}

/// One transaction: the cursor, the checkpoints above it, and what must be published again.
void Link::go_back_to(std::uint64_t seq) {
    store_.db().begin();
    store_.cursor.rewind_to(std::min(seq, store_.cursor.position().seq), stream_.state.created,
                            stream_.state.deleted);
    store_.outbox.unsettle_above(seq);
    store_.recorded.lose_above(seq);
    store_.db().commit();
    SAGA_FAILPOINT(rewinding);
    in_.forget_messages();
    relay_.reload();
    ++rewinds_;
    state_ = LinkState::judging;
    sound();
}

// ---- at start, and until it is level: what does the world know of us? ---------------------------

void Link::record() {
    state_ = LinkState::recording;
    reader_.open(store_.cursor.position().seq + 1, {worker_.subscription().own_filter()}, now_);
}

void Link::record_more(Time time) {
    std::deque<bus::StoredMessage> messages = reader_.take();
    if (!messages.empty()) store_.db().begin();
    const bool any = !messages.empty();
    for (const bus::StoredMessage& message : messages) {
        if (!worker_.subscription().shard().takes_subject(message.subject)) continue;
        const auto read = core::decode(message.bytes);
        const auto* own = std::get_if<core::Envelope>(&read);
        if (own == nullptr || core::spoofed(message.subject, *own)) continue;
        if (worker_.published(*own, time)) {
            if (const auto row = store_.outbox.find(own->id))
                relay_.events().stands(*row, message.seq);
        } else {
            store_.recorded.insert(own->id, {message.seq, message.bytes});
        }
    }
    if (any) store_.db().commit();
    if (!reader_.at_head()) return;
    // Until it has read once; a start that was refused moves the cursor and is no reading.
    const bool never_read = !store_.meta.text(store::Meta::kReactions);
    const bool older = store_.recorded.count() > 0;
    if (older && never_read && stream_.state.first_seq > 1) {
        refusal_ = fmt::format(
            "this database is new, and the stream knows {} already and no longer "
            "holds its first message: restore the database from a backup",
            contract_.service);
        return;
    }
    if (older || worker_.catching_up()) worker_.begin_catch_up(stream_.state.last_seq);
    backfill();
}

void Link::backfill() {
    const std::set<std::string> declared = reactions_of(contract_);
    const auto known = store_.meta.text(store::Meta::kReactions);
    missed_reactions_.clear();
    if (known) {
        const std::set<std::string> before = lines(*known);
        for (const std::string& reaction : declared)
            if (!before.contains(reaction)) missed_reactions_.insert(reaction);
    }
    state_ = LinkState::backfill;
    if (!missed_reactions_.empty() && store_.cursor.position().seq >= stream_.state.first_seq)
        reader_.open(stream_.state.first_seq, {"saga.>"}, now_);
    else
        missed_reactions_.clear();
}

void Link::backfill_more(Time time) {
    const std::uint64_t until = store_.cursor.position().seq;
    if (!missed_reactions_.empty()) {
        std::deque<Delivery> missed;
        for (bus::StoredMessage& message : reader_.take())
            if (message.seq <= until)
                missed.push_back({std::move(message.subject), std::move(message.bytes), message.seq,
                                  message.stored_at});
        if (!missed.empty()) worker_.catch_up_reactions(missed, missed_reactions_, time);
        if (reader_.read_to() < until && !reader_.at_head()) return;
    }
    store_.db().begin();
    store_.meta.set(store::Meta::kReactions,
                    fmt::format("{}", fmt::join(reactions_of(contract_), "\n")));
    store_.db().commit();
    read();
}

void Link::read() {
    state_ = LinkState::reading;
    if (std::exchange(first_, false)) missed_to_ = stream_.state.last_seq;
    reader_.open(store_.cursor.position().seq + 1, worker_.subscription().filters(), now_);
    relay_.connected(stream_.state.last_seq);
    relay_.passed(store_.cursor.position().seq);
    relay_.hold(worker_.catching_up());
}

}  // namespace saga::runtime
