#include "saga/runtime/caller.hpp"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "saga/bus/no_answer.hpp"
#include "saga/core/limits.hpp"
#include "saga/core/payload_rules.hpp"
#include "saga/store/failpoint.hpp"

namespace saga::runtime {
namespace {

using Settings = std::map<std::string, std::string, std::less<>>;

class AttemptPort final : public detail::CallPort {
  public:
    AttemptPort(const CallJob& job, const Settings& settings, const Ask& ask)
        : job_(job), settings_(settings), ask_(ask) {}

    const std::string& key() const override { return job_.key; }
    int attempt() const override { return job_.attempt; }
    std::chrono::milliseconds timeout() const override { return job_.code->options.timeout; }
    const std::string& setting(std::string_view name) const override {
        const auto found = settings_.find(name);
        if (found == settings_.end())
            throw std::logic_error("the service declares no setting " + std::string(name));
        return found->second;
    }
    std::vector<std::byte> request(std::string_view subject, Bytes question) override {
        return ask_(subject, question, key(), timeout());
    }

  private:
    const CallJob& job_;
    const Settings& settings_;
    const Ask& ask_;
};

/// What `answer` gives, or why it gives none.
template <class Answer>
CallResult attempt(std::int64_t call, const detail::Code& code, Answer&& answer) {
    CallResult result{.call = call, .answer = {}, .why = {}};
    try {
        std::vector<std::byte> bytes = answer();
        if (!core::is_sound(*code.answer, bytes))
            throw Error("the answer holds text that is no UTF-8, or a value without a name");
        result.answer = std::move(bytes);
    } catch (const std::exception& thrown) {
        result.why = thrown.what();
    } catch (...) {
        result.why = "the call threw something that is no std::exception";
    }
    return result;
}

}  // namespace

CallResult perform(const CallJob& job, const Settings& settings, const Ask& ask) {
    AttemptPort port(job, settings, ask);
    SAGA_FAILPOINT(asking);
    return attempt(job.call, *job.code,
                   [&] { return job.code->perform(Call(port), job.question); });
}

struct ThreadCaller::Pool {
    Settings settings;
    Ask ask;
    std::size_t most = 0;
    std::function<void()> done;

    std::mutex mutex;
    std::condition_variable work;
    std::deque<CallJob> jobs;
    std::vector<CallResult> results;
    std::size_t busy = 0, idle = 0;
    bool stopping = false;
    std::vector<std::thread> threads;

    void run() {
        std::unique_lock lock(mutex);
        while (true) {
            ++idle;
            work.wait(lock, [&] { return stopping || !jobs.empty(); });
            --idle;
            if (stopping) return;
            const CallJob job = std::move(jobs.front());
            jobs.pop_front();
            lock.unlock();
            CallResult result = perform(job, settings, ask);
            lock.lock();
            results.push_back(std::move(result));
            --busy;
            done();
        }
    }
};

ThreadCaller::ThreadCaller(Settings settings, Ask ask, std::size_t most, std::function<void()> done)
    : pool_(std::make_unique<Pool>()) {
    pool_->settings = std::move(settings);
    pool_->ask = std::move(ask);
    pool_->most = most;
    pool_->done = std::move(done);
}

ThreadCaller::~ThreadCaller() {
    {
        const std::lock_guard lock(pool_->mutex);
        pool_->stopping = true;
    }
    pool_->work.notify_all();
    for (std::thread& thread : pool_->threads) thread.join();
}

void ThreadCaller::start(CallJob job) {
    const std::lock_guard lock(pool_->mutex);
    pool_->jobs.push_back(std::move(job));
    ++pool_->busy;
    if (pool_->idle < pool_->jobs.size() && pool_->threads.size() < pool_->most)
        pool_->threads.emplace_back([pool = pool_.get()] { pool->run(); });
    pool_->work.notify_one();
}

std::size_t ThreadCaller::room(const detail::Code&) const {
    const std::lock_guard lock(pool_->mutex);
    return pool_->most - std::min(pool_->most, pool_->busy);
}

std::vector<CallResult> ThreadCaller::take() {
    const std::lock_guard lock(pool_->mutex);
    return std::exchange(pool_->results, {});
}

// ---- without a thread ---------------------------------------------------------------------------

void AskingCaller::start(CallJob job) {
    if (job.code->subject.empty()) return others_.start(std::move(job));
    SAGA_FAILPOINT(asking);
    ++asked_;
    const std::string_view question(reinterpret_cast<const char*>(job.question.data()),
                                    job.question.size());
    bus_.ask(
        job.code->subject, {{"Idempotency-Key", job.key}}, question, job.code->options.timeout,
        [this, call = job.call, code = job.code](const bus::Result<std::string>& answer) {
            --asked_;
            results_.push_back(attempt(call, *code, [&] {
                if (const auto* problem = std::get_if<bus::Problem>(&answer))
                    throw Error(bus::no_answer(*problem, code->subject, code->options.timeout));
                const auto raw = std::as_bytes(std::span(std::get<std::string>(answer)));
                // Aligned, as its reader wants it.
                return code->read(std::vector<std::byte>(raw.begin(), raw.end()));
            }));
        });
}

std::size_t AskingCaller::room(const detail::Code& code) const {
    if (code.subject.empty()) return others_.room(code);
    return core::kMaxAsked - std::min(core::kMaxAsked, asked_);
}

std::vector<CallResult> AskingCaller::take() {
    std::vector<CallResult> all = others_.take();
    std::ranges::move(std::exchange(results_, {}), std::back_inserter(all));
    return all;
}

}  // namespace saga::runtime
