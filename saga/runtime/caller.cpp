#include "saga/runtime/caller.hpp"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <stdexcept>
#include <thread>

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

}  // namespace

CallResult perform(const CallJob& job, const Settings& settings, const Ask& ask) {
    AttemptPort port(job, settings, ask);
    CallResult result{.call = job.call, .answer = {}, .why = {}};
    SAGA_FAILPOINT(asking);
    try {
        std::vector<std::byte> answer = job.code->perform(Call(port), job.question);
        if (!core::is_sound(*job.code->answer, answer))
            throw Error("the answer holds text that is no UTF-8, or a value without a name");
        result.answer = std::move(answer);
    } catch (const std::exception& thrown) {
        result.why = thrown.what();
    } catch (...) {
        result.why = "the call threw something that is no std::exception";
    }
    return result;
}

struct ThreadCaller::Pool {
    Settings settings;
    Ask ask;
    std::size_t most;
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

std::size_t ThreadCaller::room() const {
    const std::lock_guard lock(pool_->mutex);
    return pool_->most - std::min(pool_->most, pool_->busy);
}

std::vector<CallResult> ThreadCaller::take() {
    const std::lock_guard lock(pool_->mutex);
    return std::exchange(pool_->results, {});
}

}  // namespace saga::runtime
