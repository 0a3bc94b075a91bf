#include "saga/observer/watch.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "saga/core/limits.hpp"
#include "saga/core/subject.hpp"
#include "saga/observer/limits.hpp"
#include "saga/view/observed.hpp"

namespace saga::observer {
namespace {

view::Bucket contracts_on(bus::NatsClient& client) {
    return {[&client](const std::string& subject, const std::string& body) {
                return view::ask_api(client, subject, body, kAsk);
            },
            core::kContracts};
}

/// Answers go to inboxes of clients alone: a reply subject can be whatever its asker likes.
template <class Answer>
void serve(bus::NatsClient& client, const std::string& subject, const Answer& answer) {
    client.serve(subject, kQuestions, [answer](std::span<const bus::NatsClient::Question> asked) {
        std::vector<std::optional<std::vector<std::byte>>> answers;
        for (const bus::NatsClient::Question& question : asked) {
            if (!question.reply.starts_with("_INBOX.")) {
                answers.emplace_back();
                continue;
            }
            const std::string text = answer(std::string_view(
                reinterpret_cast<const char*>(question.body.data()), question.body.size()));
            const auto* begin = reinterpret_cast<const std::byte*>(text.data());
            answers.emplace_back(std::vector(begin, begin + text.size()));
        }
        return answers;
    });
}

}  // namespace

Watch::Served::Served(Watch& watch, std::unique_ptr<bus::NatsClient> made)
    : client(std::move(made)),
      contracts(contracts_on(*client)),
      desk(watch.watched_, contracts, *client, watch.clock_, watch.self_) {
    const std::string name(view::kObserver);
    serve(*client, core::request_subject(name, "state"),
          [this](std::string_view body) { return desk.answer("state", body); });
    for (const std::string_view word : {"PING", "INFO", "STATS"})
        for (const std::string& whom :
             {std::string(), "." + name, "." + name + "." + watch.self_.instance})
            serve(*client, fmt::format("$SRV.{}{}", word, whom),
                  [this, word](std::string_view) { return desk.discovery(word); });
}

/// From when it has read the stream once: before that, another observer knows more.
void Watch::Served::open() {
    if (std::exchange(opened, true)) return;
    for (const std::string_view verb : Desk::kVerbs)
        serve(*client, core::request_subject(view::kObserver, verb),
              [this, verb](std::string_view body) { return desk.answer(verb, body); });
}

Watch::Watch(Watched& watched, bus::Bus& bus, runtime::Clock& clock, Self self, Connect connect)
    : watched_(watched),
      bus_(bus),
      clock_(clock),
      self_(std::move(self)),
      connect_(std::move(connect)),
      consumer_(fmt::format("{}-{}", view::kObserver, self_.instance)),
      tail_(bus, consumer_) {
    tail_.set_position(watched_.index.position());
}

bus::Steady Watch::turn() {
    now_ = clock_.steady();
    tail_.turn(now_);
    read();
    if (tail_.reading() && !served_ && now_ >= next_connect_) connect();
    if (served_ && level()) served_->open();  // before it says that it is ready
    if (served_ && tail_.at_head() && now_ >= next_contracts_) look_at_contracts();
    const bool more = tail_.at_head() && tidy();
    say();
    bus_.flush();
    if (more || tail_.has_ready()) return now_;
    return std::min(tail_.next_turn(), now_ + kIdleWrite);
}

void Watch::read() {
    const std::lock_guard lock(watched_.mutex);
    Index& index = watched_.index;
    if (const auto another = tail_.another()) {
        index.begin_again(*another);
        watched_.level = watched_.settled = false;
    }
    const std::deque<bus::StoredMessage> read = tail_.take();
    const std::vector<bus::StoredMessage> messages(read.begin(), read.end());
    // What was handed over counts, though its consumer may be lost since then.
    const std::uint64_t read_to =
        std::max(tail_.read_to(), messages.empty() ? 0 : messages.back().seq);
    const bool moved = read_to > index.position().seq;
    if (moved && (!messages.empty() || now_ >= next_idle_write_)) {
        index.take(messages, read_to);
        next_idle_write_ = now_ + kIdleWrite;
    }
    tail_.set_position(index.position());
    watched_.reading = tail_.reading();
    watched_.level = tail_.at_head() || (watched_.level && watched_.reading);
    watched_.lag = tail_.pending();
    watched_.server = tail_.server();
    watched_.moved.notify_all();
}

void Watch::say() {
    const std::lock_guard lock(watched_.mutex);
    trouble_ = watched_.level ? "" : tail_.trouble();
    if (!watched_.level && trouble_.empty())
        trouble_ = fmt::format("it reads the stream: {} to go", watched_.lag);
    if (watched_.level && !watched_.settled)
        trouble_ = no_contracts_.empty() ? "it judges what it has read" : no_contracts_;
    watched_.trouble = trouble_;
}

bool Watch::level() {
    const std::lock_guard lock(watched_.mutex);
    return watched_.level;
}

void Watch::connect() {
    try {
        served_ = std::make_unique<Served>(*this, connect_());
    } catch (const Error&) {
        next_connect_ = now_ + core::kPublishPause;  // the bus says why
    }
}

void Watch::look_at_contracts() {
    next_contracts_ = now_ + kContractsCheck;
    try {
        served_->contracts.look();
        no_contracts_.clear();
    } catch (const Error& failure) {
        // As they were, then; who asks is told.
        no_contracts_ = fmt::format("it cannot read the contracts: {}", failure.what());
    }
}

/// Judges and forgets a little; whether there is more of it.
bool Watch::tidy() {
    const auto landscape = served_ ? served_->contracts.landscape() : nullptr;
    if (!landscape) return false;
    const std::lock_guard lock(watched_.mutex);
    if (watched_.judge(landscape, kStep) == kStep) return true;
    watched_.settled = true;
    if (now_ < next_prune_) return false;
    const core::StoreTime before(clock_.now().time_since_epoch() - self_.keep);
    if (watched_.index.prune(before, kStep) == kStep) return true;
    next_prune_ = now_ + kPrune;
    return false;
}

void Watch::stop() {
    served_.reset();
    bus_.delete_consumer(consumer_, [](const auto&) {});
    bus_.flush();
}

}  // namespace saga::observer
