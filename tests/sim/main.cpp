// The simulator's command line; `scripts/sim` builds and runs it.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/sim/exhaustive.hpp"

using namespace saga::sim;

namespace {

constexpr std::uint64_t kWhole = 1'000;  // seeds of a batch that must hit every row
constexpr int kTrials = 60;              // of making a failure smaller

struct Given {
    std::optional<std::uint64_t> seed;
    std::optional<int> sagas, trouble;
    std::optional<std::string> faults, keys, canned;
    std::vector<std::string> crashes;
    std::string known, show, disks = "hold";
    double minutes = 0;
    bool json = false, exhaustive = false;
    Batch batch;
    std::uint64_t every = 1;
};

struct Sum {
    std::uint64_t seeds = 0;
    Outcome all;
    std::vector<Setup> failing;
    std::vector<std::string> replays;

    void add(const Setup& setup, const Outcome& outcome) {
        ++seeds;
        show_progress();
        if (!outcome.violations.empty()) {
            show_failure(setup, outcome);
            failing.push_back(setup);
        }
        all.coverage.add(outcome.coverage);
        all.sagas += outcome.sagas;
        all.events += outcome.events;
        all.kills += outcome.kills;
        all.power_cuts += outcome.power_cuts;
        all.duplicates += outcome.duplicates;
        all.lasted += outcome.lasted;
    }

  private:
    const bool terminal_ = ::isatty(STDOUT_FILENO) != 0;

    void show_progress() const {
        if (!terminal_ || seeds % 10 != 0) return;
        fmt::print("\r{} runs", seeds);
        std::fflush(stdout);
    }
    static void show_failure(const Setup& setup, const Outcome& outcome) {
        fmt::print("\nFAILED {}\n", replay_line(setup));
        for (const std::string& wrong : outcome.violations) fmt::print("  {}\n", wrong);
        std::fflush(stdout);
    }
};

double seconds_since(std::chrono::steady_clock::time_point begun) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
}

void report(const Given& given, const Sum& sum, const std::set<std::string>& missed,
            double seconds) {
    const Outcome& all = sum.all;
    fmt::print(
        "\n{} seeds, {} sagas, {} events, {} kills, {} power cuts, {} duplicates, {:.1f} "
        "hours of their time, in {:.0f} s; {} failed\n",
        sum.seeds, all.sagas, all.events, all.kills, all.power_cuts, all.duplicates,
        std::chrono::duration<double>(all.lasted).count() / 3600, seconds, sum.failing.size());
    if (!missed.empty()) fmt::print("never hit: {}\n", fmt::join(missed, "; "));
    for (const std::string& replay : sum.replays) fmt::print("replay: {}\n", replay);
    if (!given.json) return;
    nlohmann::ordered_json json{{"seeds", sum.seeds},           {"sagas", all.sagas},
                                {"power_cuts", all.power_cuts}, {"kills", all.kills},
                                {"duplicates", all.duplicates}, {"violations", sum.failing.size()},
                                {"rows", all.coverage.rows()},  {"missed", missed},
                                {"replays", sum.replays},       {"seconds", seconds}};
    fmt::print("{}\n", json.dump());
}

int run_one(const Given& given) {
    Setup setup = draw(*given.seed);
    if (given.sagas) setup.sagas = *given.sagas;
    if (given.trouble) setup.trouble = std::chrono::milliseconds(*given.trouble);
    if (given.faults) setup.faults = read_replay("--faults " + *given.faults).faults;
    if (given.faults || given.keys)  // a replay line names hot ones
        setup.keys = given.keys == "hot" ? Keys::hot : Keys::calm;
    if (given.canned)
        setup = read_replay(fmt::format(
            "--seed {} --canned {} --disks {} {}", *given.seed, *given.canned, given.disks,
            given.crashes.empty()
                ? ""
                : fmt::format("--crash {}", fmt::join(given.crashes, " --crash "))));
    setup.show = given.show;
    const Outcome outcome = simulate(setup);
    fmt::print("{}\n", replay_line(setup));
    fmt::print("trace {:016x}: {} sagas, {} events, {} kills, {:.1f} s of its time\n",
               outcome.trace, outcome.sagas, outcome.events, outcome.kills,
               std::chrono::duration<double>(outcome.lasted).count());
    for (const auto& [row, times] : outcome.coverage.rows()) fmt::print("  {:6} {}\n", times, row);
    for (const std::string& wrong : outcome.violations) fmt::print("VIOLATION {}\n", wrong);
    return outcome.violations.empty() ? 0 : 1;
}

int run_many(Given given) {
    const auto begun = std::chrono::steady_clock::now();
    std::ifstream known(given.known);
    for (std::string line; std::getline(known, line);)
        if (line.starts_with("scripts/sim ")) given.batch.known.push_back(read_replay(line));
    if (given.minutes > 0) {
        given.batch.most = std::chrono::duration_cast<Duration>(
            std::chrono::duration<double, std::ratio<60>>(given.minutes));
        given.batch.seeds = std::numeric_limits<std::uint32_t>::max();
    }
    Sum sum;
    run_batch(given.batch,
              [&](const Setup& setup, const Outcome& outcome) { sum.add(setup, outcome); });
    for (std::size_t i = 0; i < sum.failing.size() && i < 3; ++i)
        sum.replays.push_back(replay_line(shrunk(sum.failing[i], kTrials)));
    const bool whole = sum.seeds >= kWhole;
    const std::set<std::string> missed = sum.all.coverage.missed();
    report(given, sum, missed, seconds_since(begun));
    return !sum.failing.empty() || (whole && !missed.empty()) ? 1 : 0;
}

int run_all_crashes(const Given& given) {
    const auto begun = std::chrono::steady_clock::now();
    Sum sum;
    std::map<std::size_t, std::uint64_t> runs;  // by the number of their crashes
    run_exhaustive(
        {.every = given.every, .disks_lie = given.disks == "lie", .jobs = given.batch.jobs},
        [&](const Setup& setup, const Outcome& outcome) {
            ++runs[setup.crashes.size()];
            sum.add(setup, outcome);
        });
    fmt::print("\n{} runs: {} without a crash, {} with one, {} with two, in {:.0f} s; {} failed\n",
               sum.seeds, runs[0], runs[1], runs[2], seconds_since(begun), sum.failing.size());
    return sum.failing.empty() && runs[2] > 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    Given given;
    given.batch.jobs = std::max(1U, std::thread::hardware_concurrency());
    CLI::App app{"Runs the real engine and the shop on simulated disks, networks and brokers.",
                 "scripts/sim"};
    app.add_option("--seeds", given.batch.seeds, "how many")->capture_default_str();
    app.add_option("--from", given.batch.first, "the first one")->capture_default_str();
    app.add_option("--minutes", given.minutes, "as many seeds as fit");
    app.add_option("--jobs", given.batch.jobs, "at once")->check(CLI::Range(1, 256));
    app.add_option("--known", given.known, "file of setups that are run first")
        ->check(CLI::ExistingFile);
    app.add_flag("--json", given.json, "the last line is one object");
    app.add_option("--seed", given.seed, "only this one, in full");
    app.add_option("--sagas", given.sagas, "of that seed")->check(CLI::Range(1, 1'000'000));
    app.add_option("--trouble", given.trouble, "milliseconds in which faults come");
    app.add_option("--faults", given.faults, "which, between commas; or none");
    app.add_option("--keys", given.keys, "of its sagas")->check(CLI::IsMember({"hot", "calm"}));
    app.add_flag("--exhaustive", given.exhaustive,
                 "a saga that completes and one that is undone, with a death of each service at "
                 "each of its acts, and each second one before that is made good for");
    app.add_option("--every", given.every, "of those only each so many-th")
        ->check(CLI::Range(1, 1'000'000));
    app.add_option("--canned", given.canned, "instead of a seed's own sagas: one that is")
        ->check(CLI::IsMember({"completed", "undone"}));
    app.add_option("--crash", given.crashes, "of it: machine:act:kill, or :power");
    app.add_option("--disks", given.disks,
                   "lie: no sync is one, and the checkers must notice; ends when they do")
        ->check(CLI::IsMember({"hold", "lie"}));
    app.add_option("--show", given.show, "a saga, of which all that stands at the end is printed");
    CLI11_PARSE(app, argc, argv);
    try {
        if (given.exhaustive) return run_all_crashes(given);
        return given.seed ? run_one(given) : run_many(std::move(given));
    } catch (const std::exception& failure) {
        fmt::print(stderr, "sim: {}\n", failure.what());
        return 2;
    }
}
