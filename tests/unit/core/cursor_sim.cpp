#include "tests/unit/core/cursor_sim.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <vector>

#include "saga/core/outgoing.hpp"
#include "tests/unit/core/cursor_sim_stream.hpp"

namespace saga::test {
namespace {

constexpr int kServices = 3, kCommands = 12, kSteps = 140, kHealing = 200;

/// The `nth` event of a saga, published by a service.
EventId event_id(int service, int saga, int nth) {
    EventId id;
    id.bytes = {static_cast<std::uint8_t>(service + 1), static_cast<std::uint8_t>(saga),
                static_cast<std::uint8_t>(nth)};
    return id;
}

class Service {
  public:
    Service(int number, LossyStream& stream, std::mt19937_64& random, Without without,
            Outcome& outcome)
        : number_(number), stream_(stream), random_(random), without_(without), outcome_(outcome) {}

    void command(int saga) { outgoing_.add(commit(saga, 0)); }
    /// Its process dies; what it had not committed never was.
    void crash() {
        connected_ = false;
        started_ = false;
        queue_.clear();
        acks_.clear();
        outgoing_.clear();
    }
    void disconnect() { connected_ = false; }

    bool connect();
    bool send();
    bool mark();
    bool pull();
    bool work();
    bool look();

    std::string lost() const;

  private:
    struct Row {
        core::Outgoing::Row row;
        EventId id;
        std::uint64_t stream_seq = 0;  ///< 0: not settled
    };
    struct Read {
        std::uint64_t seq;
        StreamEntry entry;
    };

    core::Outgoing::Row commit(int saga, int nth) {
        const core::Outgoing::Row row{.seq = static_cast<std::int64_t>(outbox_.size()) + 1,
                                      .saga = saga};
        outbox_.push_back({row, event_id(number_, saga, nth)});
        return row;
    }
    void reload() {
        outgoing_.clear();
        for (const Row& row : outbox_)
            if (row.stream_seq == 0) outgoing_.add(row.row);
    }
    /// As its filters say.
    bool reads(const EventId& id) const {
        return id.bytes[0] == number_ + 1 || (id.bytes[1] + number_) % 2 == 0;
    }
    void judge();
    void look_for_one_that_holds(std::uint64_t below);
    bool holds(const core::Checkpoint& checkpoint) const;
    void go_back_to(std::uint64_t seq);
    void handle(const Read& read, std::vector<core::Outgoing::Row>& committed);
    void settle(const EventId& id, std::uint64_t seq);
    void stands(const EventId& id, std::uint64_t seq);

    const int number_;
    LossyStream& stream_;
    std::mt19937_64& random_;
    const Without without_;
    Outcome& outcome_;

    // The database.
    std::vector<Row> outbox_;
    std::set<EventId> handled_;
    core::Position position_;
    core::Checkpoints checkpoints_;

    // Memory.
    bool connected_ = false, started_ = false;
    core::Outgoing outgoing_;
    std::deque<Read> queue_;
    std::uint64_t next_ = 1;
    std::deque<std::pair<std::int64_t, std::uint64_t>> acks_;
};

bool Service::connect() {
    if (connected_) return false;
    connected_ = true;
    if (without_ != Without::death_of_queue) queue_.clear();
    if (!started_) reload();
    judge();
    if (!started_)  // what stands above the cursor is not sent again: it will be read
        for (std::uint64_t seq = position_.seq + 1; seq <= stream_.last(); ++seq)
            if (stream_.has(seq)) stands(stream_.at(seq).id, seq);
    started_ = true;
    const auto newest = checkpoints_.newest();  // nothing above it was handled
    if (without_ != Without::reading_again)
        position_.seq = std::min(position_.seq, newest ? newest->seq : 0);
    if (without_ == Without::start_at_it && stream_.last() > position_.seq) ++position_.seq;
    if (without_ == Without::death_of_acks) {
        outgoing_.restart();
    } else {
        acks_.clear();
        outgoing_.connected(stream_.last());
    }
    next_ = position_.seq + 1;
    return true;
}

void Service::judge() {
    const core::StreamState stream = stream_.state();
    if (position_.created == StoreTime{})
        position_ = {stream.created, 0, stream.deleted, stream.holes};
    if (without_ == Without::judgement) {
        position_.seq = std::min(position_.seq, stream.last_seq);
        checkpoints_.forget_above(position_.seq);
        return;
    }
    switch (core::judge(stream, position_)) {
        case core::Verdict::remade:
            return go_back_to(0);
        case core::Verdict::hole:
            return look_for_one_that_holds(core::changed_hole(stream, position_));
        case core::Verdict::went_back:
            return look_for_one_that_holds(stream.last_seq + 1);
        case core::Verdict::history_lost:  // nothing is trimmed here
        case core::Verdict::sound:
            break;
    }
    position_ = {stream.created, position_.seq, stream.deleted, stream.holes};
    const auto newest = checkpoints_.newest();
    if (newest && !holds(*newest)) look_for_one_that_holds(newest->seq);
}

bool Service::holds(const core::Checkpoint& checkpoint) const {
    if (!stream_.has(checkpoint.seq)) return false;
    const StreamEntry& entry = stream_.at(checkpoint.seq);
    const bool blind = without_ == Without::store_time;
    return core::holds(checkpoint, blind ? checkpoint.stored_at : entry.at, entry.id);
}

void Service::look_for_one_that_holds(std::uint64_t below) {
    const auto& all = checkpoints_.all();
    for (auto checkpoint = all.rbegin(); checkpoint != all.rend(); ++checkpoint) {
        if (checkpoint->seq >= below) continue;
        if (without_ == Without::older_checkpoint || holds(*checkpoint))
            return go_back_to(checkpoint->seq);
    }
    go_back_to(0);
}

void Service::go_back_to(std::uint64_t seq) {
    ++outcome_.rewinds;
    const core::StreamState stream = stream_.state();
    position_ = {stream.created, std::min(seq, position_.seq), stream.deleted, stream.holes};
    checkpoints_.forget_above(seq);
    if (without_ != Without::unsettling)
        for (Row& row : outbox_)
            if (row.stream_seq > seq) row.stream_seq = 0;
    if (without_ != Without::death_of_queue) queue_.clear();
    reload();
}

bool Service::send() {
    if (!connected_) return false;
    const auto seq = outgoing_.next();
    if (!seq) return false;
    acks_.emplace_back(*seq, stream_.publish(outbox_[static_cast<std::size_t>(*seq - 1)].id));
    return true;
}

bool Service::mark() {
    if (!connected_ || acks_.empty()) return false;
    for (const auto& [row, seq] : acks_) {
        outgoing_.acked(row, seq);
        if (without_ == Without::read_back)
            settle(outbox_[static_cast<std::size_t>(row - 1)].id, seq);
    }
    acks_.clear();
    return true;
}

bool Service::pull() {
    if (!connected_ || next_ > stream_.last()) return false;
    if (stream_.has(next_) && reads(stream_.at(next_).id))
        queue_.push_back({next_, stream_.at(next_)});
    ++next_;
    return true;
}

/// One transaction over some of what was read; and what the reader has passed, or stands at.
bool Service::work() {
    if (!connected_) return false;
    std::vector<core::Outgoing::Row> committed;
    std::optional<core::Checkpoint> last;
    const std::size_t most = queue_.empty() ? 0 : 1 + random_() % queue_.size();
    for (std::size_t taken = 0; taken < most; ++taken) {
        const Read read = queue_.front();
        queue_.pop_front();
        if (read.seq <= position_.seq) continue;
        handle(read, committed);
        position_.seq = read.seq;
        last = {read.seq, read.entry.at, read.entry.id};
    }
    if (last) checkpoints_.add(*last);
    if (queue_.empty()) position_.seq = std::max(position_.seq, next_ - 1);
    for (const core::Outgoing::Row& row : committed) outgoing_.add(row);
    const std::size_t again =
        without_ == Without::passing ? 0 : outgoing_.passed(position_.seq, outbox_.size()).rows;
    outcome_.sent_again += again;
    return most > 0 || again > 0;
}

/// What stands where the reader does, which need not be an event that it reads.
bool Service::look() {
    const auto newest = checkpoints_.newest();
    const std::uint64_t here = position_.seq;
    if (!connected_ || !stream_.has(here) || (newest && newest->seq >= here)) return false;
    checkpoints_.add({here, stream_.at(here).at, stream_.at(here).id});
    return true;
}

/// A command is answered by every other service with one event, some of those by another one.
void Service::handle(const Read& read, std::vector<core::Outgoing::Row>& committed) {
    settle(read.entry.id, read.seq);
    if (!handled_.insert(read.entry.id).second) return;
    const auto& bytes = read.entry.id.bytes;
    const int saga = bytes[1], nth = bytes[2];
    const bool mine = bytes[0] == number_ + 1;
    if (nth < 2 && !mine && (saga + number_) % 2 == 0)
        committed.push_back(commit(saga, nth == 0 ? 1 : 10 + bytes[0]));
}

void Service::settle(const EventId& id, std::uint64_t seq) {
    for (Row& row : outbox_) {
        if (row.id != id) continue;
        outgoing_.settled(row.row.seq);
        if (row.stream_seq == 0) row.stream_seq = seq;
    }
}

void Service::stands(const EventId& id, std::uint64_t seq) {
    for (const Row& row : outbox_)
        if (row.id == id) outgoing_.stands(row.row.seq, seq);
}

std::string Service::lost() const {
    std::map<std::int64_t, std::uint64_t> last_of;
    for (const Row& row : outbox_) {
        const std::uint64_t at = stream_.find(row.id);
        if (at == 0)
            return fmt::format("service {}: {} is not in the stream", number_, row.row.seq);
        if (at < last_of[row.row.saga] && outcome_.holes == 0)
            return fmt::format("service {}: {} stands before its forerunner", number_, row.row.seq);
        last_of[row.row.saga] = at;
    }
    for (std::uint64_t seq = 1; seq <= stream_.last(); ++seq)
        if (stream_.has(seq) && reads(stream_.at(seq).id) && !handled_.contains(stream_.at(seq).id))
            return fmt::format("service {}: never handled {}", number_, seq);
    return {};
}

// ---- a run --------------------------------------------------------------------------------------

class Simulation {
  public:
    Simulation(std::uint64_t seed, Without without) : random_(seed), stream_(random_) {
        for (int number = 0; number < kServices; ++number)
            services_.emplace_back(number, stream_, random_, without, outcome_);
    }

    Outcome run() {
        for (int step = 0; step < kSteps; ++step)
            if (!fault(random_() % 1'000)) act(services_[random_() % kServices], random_() % 11);
        heal();
        for (const Service& service : services_)
            if (outcome_.lost.empty()) outcome_.lost = service.lost();
        return outcome_;
    }

  private:
    /// One hole at most: whoever was away while a hole came, went with the tail, and another came
    /// counts one as before.
    bool fault(std::uint64_t dice) {
        if (dice < 20) {
            services_[random_() % kServices].crash();
            return true;
        }
        if (dice >= 65 || stream_.empty()) return false;
        for (Service& service : services_) service.disconnect();  // the broker starts again
        if (dice < 50) {
            stream_.lose_tail();
            ++outcome_.tails;
        } else if (dice < 54 && outcome_.holes == 0) {
            stream_.lose_one();
            ++outcome_.holes;
        } else if (dice < 57) {
            stream_.remake();
            ++outcome_.remakes;
        }
        return true;
    }

    void act(Service& service, std::uint64_t what) {
        if (what == 0 && commands_ < kCommands) service.command(++commands_);
        if (what == 1 || what == 2) service.send();
        if (what == 3) service.mark();
        if (what >= 4 && what <= 6) service.pull();
        if (what == 7 || what == 8) service.work();
        if (what == 9) service.connect();
        if (what == 10) service.look();
    }

    /// Nothing breaks any more, and everybody works until there is nothing left to do.
    void heal() {
        bool busy = true;
        for (int round = 0; busy && round < kHealing; ++round) {
            busy = false;
            for (Service& service : services_)
                for (const auto work : {&Service::connect, &Service::mark, &Service::send,
                                        &Service::mark, &Service::pull, &Service::work})
                    busy = (service.*work)() || busy;
        }
        if (busy) outcome_.lost = "it never comes to rest";
    }

    std::mt19937_64 random_;
    Outcome outcome_;
    LossyStream stream_;
    std::vector<Service> services_;
    int commands_ = 0;
};

}  // namespace

Outcome simulate(std::uint64_t seed, Without without) {
    return Simulation(seed, without).run();
}

}  // namespace saga::test
