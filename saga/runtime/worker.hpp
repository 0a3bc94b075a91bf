// Takes what is ready and turns it into one transaction: the only writer of the service's file.
#pragma once

#include <deque>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "saga/core/limits.hpp"
#include "saga/core/outgoing.hpp"
#include "saga/runtime/executor.hpp"
#include "saga/runtime/subscription.hpp"

namespace saga::runtime {

/// A message as the stream delivered it: hostile bytes.
struct Delivery {
    std::string subject;
    std::vector<std::byte> bytes;
    std::uint64_t seq = 0;
    core::StoreTime stored_at;
};

/// What became of an attempt at a call.
struct CallResult {
    std::int64_t call = 0;
    std::optional<std::vector<std::byte>> answer;  ///< none: unknown
    std::string why;
    bool last = false;  ///< it is not to be tried again
};

/// A request that writes; `token` comes back with its reply.
struct Request {
    std::string verb;
    std::vector<std::byte> body;
    std::uint64_t token = 0;
};
struct Reply {
    std::uint64_t token = 0;
    std::string json;
};

/// What is ready. A round takes from the front, and only when it has committed.
struct Inbound {
    std::deque<Delivery> messages;
    std::deque<CallResult> answers;
    std::deque<Request> requests;
    /// Timers due up to this may fire: everything stored before was handled.
    std::optional<Time> timers_until;
    /// The reader has seen all up to here; what is not among `messages` concerns nobody here.
    std::uint64_t read_to = 0;
    /// Dead letters that the broker has: (seq in the outbox, sequence in SAGA_DLQ).
    std::vector<std::pair<std::int64_t, std::uint64_t>> stored_letters;

    /// What was read and not handled will be read again: the cursor must not pass it.
    void forget_messages() {
        messages.clear();
        read_to = 0;
    }
};

/// What a committed round leaves to be done.
struct Committed {
    std::vector<store::OutboxRow> published;
    std::vector<Reply> replies;
    std::size_t items = 0;
    bool more = false;  ///< something else is due already
};

/// Another process acts under this service's name: this one must stop.
class ForeignInstance : public Error {
  public:
    using Error::Error;
};

class Worker {
  public:
    struct Options {
        Executor::Options executor;
        std::size_t batch = core::kBatch;
        core::Shard shard = {};  ///< sagas of others are none of its business
    };
    /// Notes that the process is running: until stop(), a death is an unclean stop.
    Worker(const Contract& contract, store::Store& store, const core::IdKey& key, Random& random,
           core::Outgoing& outgoing, Options options);

    /// One transaction over what is ready: retries, timers, answers, messages, requests, in this
    /// order; of a batch of them, and of `most` at most. Throws DiskFull, with nothing done and
    /// nothing taken, ForeignInstance, and Error.
    Committed round(Inbound& in, Time now,
                    std::size_t most = std::numeric_limits<std::size_t>::max());

    /// When the next retry or timer falls due, if any waits.
    std::optional<Time> next_due();

    /// The database is older than the stream's head at `until`: see the engine's catch-up.
    void begin_catch_up(std::uint64_t until);
    bool catching_up() const { return catch_up_until_.has_value(); }
    std::optional<std::uint64_t> catch_up_until() const { return catch_up_until_; }
    /// The head of start time is reached: what is unlike its record is a matter for an operator.
    /// What is to be published of it stands in the outbox alone: the relay reads it there.
    void end_catch_up(Time now);

    /// Applies reactions of a new release to what was read before it; after an unclean stop one
    /// event at a time, each counted as an item is. What it publishes comes with the next round.
    void catch_up_reactions(const std::deque<Delivery>& missed,
                            const std::set<std::string>& reactions, Time now);
    /// Whether the outbox explains an event of our own name, or did before it was pruned here: a
    /// database that was restored has pruned nothing of what came after its backup.
    bool published(const core::Envelope& own);

    /// After an unclean stop the first calls are counted before they are made, and one that had
    /// just begun when the process died is made alone: one that kills the process must not do so
    /// for ever. False: it was on its way at too many deaths. survived(): these have been on their
    /// way for a while.
    bool careful_calls() const { return careful_calls_ > 0; }
    bool died_with(std::int64_t call);
    bool count_call(std::int64_t call);
    void survived(std::span<const std::int64_t> calls);

    /// A clean stop.
    void stop();

    const Subscription& subscription() const { return subscription_; }

    struct Counts {
        std::uint64_t handled = 0, duplicates = 0, skipped = 0, dead = 0, commands = 0;
    };
    const Counts& counts() const { return counts_; }

  private:
    struct Retry {
        std::int64_t saga = 0, position = 0;
    };
    struct Due {
        store::Timers::Row timer;
    };
    using Item = std::variant<Retry, Due, const CallResult*, const Delivery*, const Request*>;

    /// Commits what `work` did, or leaves no trace of it and throws what it threw.
    template <class Work>
    void transaction(Work work) {
        store_.db().begin();
        try {
            work();
            store_.db().commit();
        } catch (...) {
            executor_.take_published();
            replies_.clear();
            settled_.clear();
            store_.rollback();
            throw;
        }
        for (const std::int64_t row : settled_) outgoing_.settled(row);
        settled_.clear();
    }
    std::vector<Item> collect(const Inbound& in, std::size_t most);
    Committed commit_all(const std::vector<Item>& items, Inbound& in,
                         const std::string* counted = nullptr);
    Committed commit_one_by_one(Inbound& in);
    bool commit_next(Inbound& in, Committed& all);
    Committed committed();
    void take(Inbound& in, const std::vector<Item>& items);
    static std::string item_of(std::int64_t call);
    std::string name_of(const Item& item) const;
    bool give_up(const Item& item);

    void apply(const Retry& retry);
    void apply(const Due& due);
    void apply(const CallResult* result);
    void apply(const Delivery* delivery);
    void apply(const Request* request);

    template <class Work>
    bool for_each_missed(const Delivery& delivery, const std::set<std::string>& reactions,
                         Work work);
    void catch_up_alone(const Delivery& delivery, const std::set<std::string>& reactions);
    void park_dead(const core::Message& message, core::Waits what, std::string_view step);

    bool bury(const Retry& retry);
    bool bury(const Due& due);
    bool bury(const CallResult* result);
    bool bury(const Delivery* delivery);
    bool bury(const Request* request);

    void adopt(const core::Message& message);
    bool adopt_waiting(const core::Envelope& own);
    bool leads_to(const core::ParkedRow& row, const core::Envelope& own) const;
    std::optional<std::uint32_t> deadline_of(const core::StepRow& row,
                                             const core::Envelope& event) const;
    bool adopt_answer(core::SagaState& state, const core::Envelope& own);
    bool may_be_own(const core::Envelope& event) const;
    std::set<Executor::Passed> passed_over();
    void close_record(const EventId& id, const store::Recorded::Row& row,
                      const std::set<std::int64_t>& unlike);
    void obey(const core::Message& message);
    Reply command(const detail::CommandCode& command, const Request& request);
    Reply undo(const detail::CommandCode& command, const Request& request);
    void mine(const core::Message& message);
    core::Saga begin(core::SagaState& state, Origin origin, bool apart = false);
    bool count(const std::string& item, const std::function<void()>& too_often, int weight = 1,
               int most = core::kMaxCrashes);
    void done_with(const std::string& item);
    void reject(const Delivery& delivery, std::string_view why);

    const Contract& contract_;
    store::Store& store_;
    const core::IdKey& key_;
    core::Outgoing& outgoing_;
    Options options_;
    Subscription subscription_;
    Executor executor_;
    int careful_ = 0, careful_calls_ = 0;
    /// Items that this process has counted: a full disk brings one back, which is no death.
    std::set<std::string> counted_;
    bool unclean_ = false;  ///< the last stop
    std::optional<std::uint64_t> catch_up_until_;
    core::SagaState nobody_;  ///< whom a message of no saga concerns

    Time now_;
    std::vector<Reply> replies_;
    std::vector<std::int64_t> settled_;  ///< rows of the outbox
    std::optional<core::Checkpoint> last_;
    Counts counts_;
};

}  // namespace saga::runtime
