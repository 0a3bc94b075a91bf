// Power cuts at random moments of random transactions: what was acknowledged must stand.
#include <fmt/format.h>
#include <sqlite3.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/sim/power_history.hpp"

using namespace saga::sim;

namespace {

struct Options {
    std::uint64_t cuts = 10'000, seed = 1;
    std::optional<std::uint64_t> only;
    unsigned jobs = 2;
    std::string synchronous = "FULL";
    bool json = false;
};

/// Histories are numbered, and each is drawn from seed and number: whichever thread it falls to.
class Campaign {
  public:
    explicit Campaign(const Options& options)
        : options_(options), next_(options.only.value_or(0)) {}

    void run() {
        std::vector<std::jthread> threads;
        for (unsigned nth = 1; nth < options_.jobs && !options_.only; ++nth)
            threads.emplace_back([this] { work(); });
        work();
    }
    int report(double seconds) const;

  private:
    void work() {
        do {
            one(next_++);
        } while (!options_.only && cuts_ < options_.cuts);
    }
    void one(std::uint64_t nth) {
        std::string violation;
        PowerHistory history(Chance(options_.seed).branch(std::to_string(nth)).next(),
                             options_.synchronous);
        try {
            history.run();
        } catch (const Violation& found) {
            violation = found.what();
        }
        const std::lock_guard guard(mutex_);
        add(history.deaths());
        if (violation.empty()) return;
        if (violations_++ < kShown)
            fmt::print(
                stderr, "violation: {}\nreplay: power --seed {} --only {}{}\n", violation,
                options_.seed, nth,
                options_.synchronous == "FULL" ? "" : " --synchronous " + options_.synchronous);
    }
    void add(const Deaths& more) {
        cuts_ += more.cuts;
        deaths_.kills += more.kills;
        deaths_.errors += more.errors;
        deaths_.full += more.full;
        deaths_.commits += more.commits;
    }

    static constexpr std::uint64_t kShown = 5;
    Options options_;
    std::atomic<std::uint64_t> next_, cuts_ = 0;
    std::mutex mutex_;
    Deaths deaths_;
    std::uint64_t violations_ = 0;
};

int Campaign::report(double seconds) const {
    if (options_.json)
        fmt::print("{}\n", nlohmann::json{{"cuts", cuts_.load()},
                                          {"kills", deaths_.kills},
                                          {"errors", deaths_.errors},
                                          {"full", deaths_.full},
                                          {"commits", deaths_.commits},
                                          {"violations", violations_},
                                          {"seed", options_.seed},
                                          {"seconds", seconds}}
                               .dump());
    else
        fmt::print(
            "power: {} cuts, {} kills, {} errors and {} full disks among {} commits in "
            "{:.1f} s: {} violations\n",
            cuts_.load(), deaths_.kills, deaths_.errors, deaths_.full, deaths_.commits, seconds,
            violations_);
    return violations_ == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    CLI::App app{"Cuts the power under the store's transactions, again and again"};
    app.add_option("--cuts", options.cuts, "how many power cuts, at least");
    app.add_option("--seed", options.seed, "what everything is drawn from");
    app.add_option("--only", options.only, "the history of this number alone");
    app.add_option("--jobs", options.jobs, "threads");
    app.add_option("--synchronous", options.synchronous,
                   "PRAGMA synchronous; the engine's is FULL");
    app.add_flag("--json", options.json, "one JSON object");
    CLI11_PARSE(app, argc, argv);
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);  // threads do not wait for each other's counting
    const auto begun = std::chrono::steady_clock::now();
    Campaign campaign(options);
    campaign.run();
    return campaign.report(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count());
}
