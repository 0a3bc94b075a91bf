#include "saga/runtime/worker.hpp"

#include <algorithm>
#include <iterator>

#include "saga/core/limits.hpp"
#include "saga/store/failpoint.hpp"

namespace saga::runtime {

Worker::Worker(const Contract& contract, store::Store& store, const core::IdKey& key,
               Random& random, core::Outgoing& outgoing, Options options)
    : contract_(contract),
      store_(store),
      key_(key),
      outgoing_(outgoing),
      options_(options),
      subscription_(contract, options.shard),
      executor_(contract, store, key, random, options.executor) {
    using store::Meta;
    detail::validate(contract);
    if (const auto until = store_.meta.number(Meta::kCatchUp); until != 0) {
        catch_up_until_ = static_cast<std::uint64_t>(until);
        executor_.set_catching_up(true);
    }
    unclean_ = store_.meta.number(Meta::kClean, 1) == 0;
    if (unclean_) careful_ = careful_calls_ = core::kCarefulItems;
    transaction([&] { store_.meta.set(Meta::kClean, 0); });
}

void Worker::stop() {
    SAGA_FAILPOINT(stopping);
    transaction([&] {
        store_.meta.set(store::Meta::kClean, 1);
        store_.attempts.clear();
    });
    store_.db().checkpoint();
}

std::optional<Time> Worker::next_due() {
    std::optional<Time> due = store_.parked.next_due();
    const std::optional<Time> timer = store_.timers.next_due();
    if (timer && (!due || *timer < *due)) due = timer;
    return due;
}

// ---- a round ------------------------------------------------------------------------------------

std::vector<Worker::Item> Worker::collect(const Inbound& in, std::size_t most) {
    std::vector<Item> items;
    const auto room = [&] { return most - items.size(); };
    for (const auto& [saga, position] : store_.parked.due(now_, room()))
        items.emplace_back(Retry{saga, position});
    if (in.timers_until && !catching_up())
        for (store::Timers::Row& timer : store_.timers.due(*in.timers_until, room()))
            items.emplace_back(Due{std::move(timer)});
    std::size_t bytes = 0;
    const auto fits = [&](std::size_t more) {
        bytes += more;
        return items.empty() || bytes <= core::kBatchBytes;
    };
    for (const CallResult& answer : in.answers) {
        if (room() == 0 || !fits(answer.answer ? answer.answer->size() : 0)) break;
        items.emplace_back(&answer);
    }
    for (const Delivery& message : in.messages) {
        if (room() == 0 || !fits(message.bytes.size())) break;
        items.emplace_back(&message);
    }
    bytes = 0;
    for (const Request& request : in.requests) {
        // A backlog of messages keeps no client waiting.
        if (items.size() >= 2 * most || !fits(request.body.size())) break;
        items.emplace_back(&request);
    }
    return items;
}

Committed Worker::round(Inbound& in, Time now, std::size_t most) {
    now_ = now;
    if (careful_ > 0) return commit_one_by_one(in);
    most = std::min(most, options_.batch);
    Committed done = commit_all(collect(in, most), in);
    done.more = done.more || done.items >= most;
    return done;
}

/// `counted`: the name under which its one item was counted.
Committed Worker::commit_all(const std::vector<Item>& items, Inbound& in,
                             const std::string* counted) {
    const std::uint64_t cursor = store_.cursor.position().seq;
    const bool moves = in.read_to > cursor && in.messages.empty();
    if (items.empty() && !moves && in.stored_letters.empty()) return {};
    last_.reset();
    transaction([&] {
        for (const auto& [seq, at] : in.stored_letters) store_.outbox.settle(seq, at, now_);
        std::size_t messages = 0;
        for (const Item& item : items) {
            messages += std::holds_alternative<const Delivery*>(item);
            std::visit([&](const auto& each) { apply(each); }, item);
        }
        const std::uint64_t handled = last_ ? last_->seq : cursor;
        const std::uint64_t to =
            messages == in.messages.size() ? std::max(handled, in.read_to) : handled;
        SAGA_FAILPOINT(moving);
        if (to > cursor) store_.cursor.move_to(to, last_);
        if (counted != nullptr) store_.attempts.erase(*counted);
    });
    take(in, items);
    in.stored_letters.clear();
    Committed done = committed();
    done.items = items.size();
    done.more = !in.messages.empty() || !in.answers.empty() || !in.requests.empty();
    return done;
}

/// What the last transaction leaves to be sent.
Committed Worker::committed() {
    return {.published = executor_.take_published(), .replies = std::exchange(replies_, {})};
}

/// After an unclean stop: each item is counted before it is touched, so that the one that kills the
/// process is known by its count, and parks.
Committed Worker::commit_one_by_one(Inbound& in) {
    Committed all;
    try {
        while (careful_ > 0 && commit_next(in, all)) {
        }
        if (careful_ > 0) commit_all({}, in);  // the cursor and stored letters are no items
    } catch (const store::DiskFull&) {
        if (all.items == 0) throw;
        all.more = true;  // what is done is done, and has to be told
    }
    return all;
}

/// False: nothing is ready.
bool Worker::commit_next(Inbound& in, Committed& all) {
    std::vector<Item> one = collect(in, 1);
    if (one.empty()) return false;
    one.resize(1, one.front());
    const std::string name = name_of(one.front());
    const auto add = [&](Committed step) {
        std::ranges::move(step.published, std::back_inserter(all.published));
        std::ranges::move(step.replies, std::back_inserter(all.replies));
    };
    bool gone = false;
    count(name, [&] {
        gone = give_up(one.front());
        if (gone) store_.attempts.erase(name);
    });
    add(committed());
    if (gone)
        take(in, one);
    else
        add(commit_all(one, in, &name));
    counted_.erase(name);
    ++all.items;
    if (--careful_ == 0) all.more = true;
    return true;
}

/// Removes from what is ready what has been committed.
void Worker::take(Inbound& in, const std::vector<Item>& items) {
    for (const Item& item : items) {
        if (std::holds_alternative<const CallResult*>(item)) in.answers.pop_front();
        if (std::holds_alternative<const Delivery*>(item)) in.messages.pop_front();
        if (std::holds_alternative<const Request*>(item)) in.requests.pop_front();
    }
}

}  // namespace saga::runtime
