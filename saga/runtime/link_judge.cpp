// Is the stream the one that we have read?
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <limits>

#include "saga/bus/topology.hpp"
#include "saga/core/limits.hpp"
#include "saga/runtime/link.hpp"
#include "saga/store/failpoint.hpp"

namespace saga::runtime {
namespace {

constexpr int kNoMessage = 10037;
constexpr auto kSecondLook = std::chrono::milliseconds(200);
constexpr auto kEnd = std::numeric_limits<std::uint64_t>::max();  // of a stream, and beyond

/// Zero: it is no event.
EventId id_of(const bus::StoredMessage& message) {
    const auto read = core::decode(message.bytes);
    const auto* envelope = std::get_if<core::Envelope>(&read);
    return envelope == nullptr ? EventId{} : envelope->id;
}

}  // namespace

/// By what was read when it asked: what is handled meanwhile may be more than the answer knows of.
void Link::judge() {
    judging_ = true;
    const std::uint64_t mine = ++judgement_;
    bus_.stream_info([this, mine, read = store_.cursor.position()](const auto& result) {
        if (mine != judgement_) return;  // something befell us meanwhile: another one is due
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
            if (info.state.holes != read.holes) forget_holes();
            return look_below(kEnd);
        case core::Verdict::remade:
            if (again("the stream was made anew")) go_back_to(0);
            return;
        case core::Verdict::went_back:
            if (again("the stream ends before what was read")) look_below(kEnd);
            return;
        case core::Verdict::hole:
            if (again("the stream has a hole")) look_below(core::changed_hole(info.state, read));
            return;
        case core::Verdict::history_lost:
            return history_lost();
    }
}

/// So far into the stream as it is.
core::Position Link::here(std::uint64_t seq) const {
    return {stream_.state.created, seq, stream_.state.deleted, stream_.state.holes};
}

/// Age has taken holes that we knew: the next new one is one more than what is left.
void Link::forget_holes() {
    const core::Position position = store_.cursor.position();
    store_.db().begin();
    store_.cursor.adopt(here(position.seq));
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
    store_.cursor.adopt(here(state.first_seq - 1));
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
    bus_.message_at(checkpoint->seq,
                    [this, mine = judgement_, checkpoint = *checkpoint](const auto& result) {
                        if (mine == judgement_) looked_at(checkpoint, result);
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
    if (consumer_ == Consumer::being_judged) consumer_ = Consumer::judged;
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
    store_.cursor.rewind_to({position.created, seq, position.deleted, position.holes});
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
    store_.cursor.rewind_to(here(std::min(seq, store_.cursor.position().seq)));
    lose_above(seq);
    store_.db().commit();
    SAGA_FAILPOINT(rewinding);
    in_.forget_messages();
    relay_.reload();
    ++rewinds_;
    state_ = LinkState::judging;
    sound();
}

/// What we published there may be gone: it is sent again, unless it is read there.
void Link::lose_above(std::uint64_t seq) {
    store_.outbox.unsettle_above(seq);
    store_.recorded.lose_above(seq);
}

}  // namespace saga::runtime
