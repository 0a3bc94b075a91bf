#include "saga/runtime/link.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "saga/core/limits.hpp"
#include "saga/store/failpoint.hpp"

namespace saga::runtime {
namespace {

constexpr int kNoStream = 10059;

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
    ++judgement_;
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
    ++judgement_;
    state_ = LinkState::judging;
    next_judgement_ = now + core::kPublishPause;
}

void Link::look(bus::Steady now) {
    now_ = now;
    if (state_ == LinkState::down || refusal_) return;
    if (now >= ownership_.next_look()) ownership_.assert_it(now);
    refusal_ = ownership_.refusal();
    if (state_ != LinkState::owning || !ownership_.holds(now)) return;
    state_ = LinkState::judging;
    next_judgement_ = now;
}

void Link::tick(bus::Steady now, Time time) {
    look(now);
    if (state_ == LinkState::down || refusal_) return;
    look_at_consumer();
    if (state_ != LinkState::owning && !judging_ && now >= next_judgement_) judge();
    reader_.tick(now);
    if (state_ == LinkState::recording) record_more();
    if (state_ == LinkState::backfill) backfill_more(time);
    if (reading() && worker_.catching_up() && in_.messages.empty() && !reader_.has_ready() &&
        reader_.read_to() >= *worker_.catch_up_until()) {
        worker_.end_catch_up(time);
        relay_.reload();
        relay_.hold(false);
    }
}

/// One that was lost may have gone with its stream, or with the end of it: what nobody here had to
/// read is read again, as after a lost connection, before anything that follows it.
void Link::look_at_consumer() {
    if (std::exchange(reopened_, reader_.reopened()) != reader_.reopened()) {
        if (judged()) {
            start_over(now_);
            in_.timers_until.reset();
        }
        next_judgement_ = now_;
    }
    // Before it was made the end of the stream may have gone, and others may stand there now.
    if (judged() && consumer_ == Consumer::unjudged && reader_.is_open()) {
        consumer_ = Consumer::being_judged;
        judging_ = false;  // what is under way is of before
        next_judgement_ = now_;
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
        case LinkState::reading:  // that is, once more
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

// ---- at start, and until it is level: what does the world know of us? ---------------------------

/// Whoever was catching up has noted what stands above its cursor: the end of the stream, where no
/// checkpoint is, may be gone since then.
void Link::record() {
    if (worker_.catching_up()) {
        store_.db().begin();
        lose_above(store_.cursor.position().seq);
        store_.db().commit();
        relay_.reload();
    }
    state_ = LinkState::recording;
    reader_.open(store_.cursor.position().seq + 1, {worker_.subscription().own_filter()}, now_);
}

void Link::record_more() {
    std::deque<bus::StoredMessage> messages = reader_.take();
    if (!messages.empty()) store_.db().begin();
    const bool any = !messages.empty();
    for (const bus::StoredMessage& message : messages) {
        if (!worker_.subscription().shard().takes_subject(message.subject)) continue;
        const auto read = core::decode(message.bytes);
        const auto* own = std::get_if<core::Envelope>(&read);
        if (own == nullptr || core::spoofed(message.subject, *own)) continue;
        // What was recorded once is, however old it has become meanwhile.
        if (const auto row = store_.outbox.find(own->id))
            relay_.events().stands(*row, message.seq);
        else if (store_.recorded.find(own->id) || !worker_.published(*own))
            store_.recorded.insert(own->id, {message.seq, message.bytes});
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
    consumer_ = Consumer::unjudged;
    if (std::exchange(first_, false)) missed_to_ = stream_.state.last_seq;
    reader_.open(store_.cursor.position().seq + 1, worker_.subscription().filters(), now_);
    relay_.connected(stream_.state.last_seq);
    relay_.passed(store_.cursor.position().seq);
    relay_.hold(worker_.catching_up());
}

}  // namespace saga::runtime
