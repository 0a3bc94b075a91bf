// saga chaos: puts a landscape to the test, and says what it has lost.
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "saga/cli/chaos/aftermath.hpp"
#include "saga/cli/chaos/torment.hpp"
#include "saga/cli/command_line.hpp"
#include "saga/cli/output.hpp"
#include "saga/cli/words.hpp"

namespace saga::cli {
namespace {

namespace files = std::filesystem;
using namespace std::chrono_literals;

constexpr auto kLoadStops = 60s;
constexpr auto kUnderWay = 30s;     // until the load has its first answers
constexpr std::size_t kShown = 20;  // violations; --json has all

struct Given {
    std::string config, server, load, data, previous;
    std::vector<std::string> kinds;
    double minutes = 3;
    std::uint64_t seed = 0, least_kills = 0;
    std::chrono::milliseconds bound{120'000};
    bool keep = false;
};

/// Says what happens, with the time since it began.
class Voice {
  public:
    explicit Voice(const Tally& tally) : tally_(tally) {}
    void operator()(const std::string& text) const {
        note(fmt::format("{:7.1f} s  {:4} kills  {}", tally_.seconds(), tally_.kills, text));
    }

  private:
    const Tally& tally_;
};

std::string replay(const Given& given, const Tally& tally) {
    std::string command = fmt::format("saga chaos --config {} --minutes {} --seed {}", given.config,
                                      given.minutes, tally.seed);
    for (const std::string& kind : given.kinds) command += " --fault " + kind;
    if (!given.previous.empty()) command += " --previous " + given.previous;
    if (!given.load.empty()) command += fmt::format(" --load '{}'", given.load);
    return command;
}

void look_at_coverage(const Given& given, Tally& tally) {
    for (const std::string& kind : Torment::kinds()) {
        const bool named =
            std::find(given.kinds.begin(), given.kinds.end(), kind) != given.kinds.end();
        if (!named && (!given.kinds.empty() || tally.skipped.contains(kind))) continue;
        if (tally.faults[kind] == 0)
            tally.violations.push_back(fmt::format(
                "{} did not strike{}", kind,
                tally.skipped.contains(kind) ? ": " + tally.skipped[kind] : std::string()));
    }
    for (const std::string& point : tally.missed)
        tally.violations.push_back(fmt::format("the failpoint {} was not reached", point));
    if (tally.kills < given.least_kills)
        tally.violations.push_back(
            fmt::format("{} kills only, of {}", tally.kills, given.least_kills));
}

class Trying {
  public:
    Trying(const Given& given, Tally& tally, Stage& stage)
        : given_(given),
          tally_(tally),
          stage_(stage),
          say_(tally),
          torment_(stage, tally, given.kinds, say_) {}

    void run() {
        torment_.open();
        begin_load();
        torment_.run(std::chrono::duration_cast<Duration>(
            std::chrono::duration<double, std::ratio<60>>(given_.minutes)));
        say_("the faults are over");
        torment_.heal();
        end_load();
        await_rest(stage_, tally_, given_.bound);
        say_("at rest");
        ask_check(stage_, tally_);
        look_into_databases(stage_, tally_, told_);
        for (const std::string& crash : stage_.crashes()) tally_.violations.push_back(crash);
        look_at_coverage(given_, tally_);
    }

  private:
    /// On a link of its own, which is harmed as the others are.
    void begin_load() {
        const auto& command = stage_.plan().trial.load;
        if (command.empty()) return say_("there is no load: [chaos] names none");
        const std::uint16_t port = stage_.proxy().port(stage_.proxy().add());
        const std::string url = fmt::format("nats://127.0.0.1:{}", port);
        load_ = stage_.begin("load", stage_.launch(command, url),
                             [this](std::string_view line) { told_.take(line); });
        if (!stage_.until(kUnderWay, [&] { return told_.count(Answered::ok) > 0; }))
            throw Stop(kError, fmt::format("the load sends nothing: look at {}",
                                           (stage_.logs() / "load.log").string()));
    }
    void end_load() {
        if (!load_) return;
        Supervisor& supervisor = stage_.supervisor();
        if (const auto status = supervisor.ended(*load_); status && *status != 0)
            tally_.violations.push_back("the load ended with " + ending(*status));
        supervisor.stop(*load_);
        if (!stage_.until(kLoadStops, [&] { return supervisor.gone(*load_); }))
            tally_.violations.push_back("the load does not stop when it is asked to");
        tally_.requests = {{"ok", told_.count(Answered::ok)},
                           {"fail", told_.count(Answered::fail)},
                           {"unknown", told_.count(Answered::unknown)}};
    }

    const Given& given_;
    Tally& tally_;
    Stage& stage_;
    Voice say_;
    Torment torment_;
    Told told_;
    std::optional<std::size_t> load_;
};

files::path folder(const Given& given) {
    if (!given.data.empty()) {
        if (files::exists(given.data) && !files::is_empty(given.data))
            throw Stop(kError,
                       fmt::format("{} is not empty: give --data a new folder", given.data));
        files::create_directories(given.data);
        return files::absolute(given.data);
    }
    std::string pattern = (files::temp_directory_path() / "saga-chaos-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw Stop(kError, "cannot make " + pattern);
    return pattern;
}

files::path previous(const Given& given) {
    if (given.previous.empty()) return {};
    if (files::is_directory(given.previous)) return files::absolute(given.previous);
    throw Stop(kError, fmt::format("{} is no folder: --previous names one with programs of an "
                                   "earlier build",
                                   given.previous));
}

void report(const Options& options, const Given& given, const Tally& tally,
            const files::path& data) {
    if (options.json) {
        out(tally.json().dump() + "\n");
    } else {
        out(fmt::format(
            "{} kills, {} faults, {} failpoints, {} requests, {} sagas in {:.0f} s, "
            "seed {}\n",
            tally.kills, tally.json()["faults"].size(),
            tally.json()["failpoints_hit"].get<std::size_t>(), tally.json()["requests"].dump(),
            tally.json()["sagas"].dump(), tally.seconds(), tally.seed));
    }
    for (std::size_t i = 0; i < std::min(kShown, tally.violations.size()); ++i)
        note("VIOLATION " + tally.violations[i]);
    for (const auto& [kind, why] : tally.skipped) note(fmt::format("SKIPPED {}: {}", kind, why));
    if (tally.violations.empty()) return;
    note(fmt::format("replay: {}\nlogs and data: {}", replay(given, tally), data.string()));
    throw Stop(kError, fmt::format("{} violations", tally.violations.size()));
}

void chaos(const Options& options, const Given& given) {
    Config config = read_config(given.config);
    if (!given.load.empty()) {
        config.trial.load =
            parse_config("[chaos]\nload = " + given.load + "\n[x]\ncommand=x\n", "--load")
                .trial.load;
    }
    Tally tally;
    tally.seed = given.seed != 0 ? given.seed : std::random_device{}();
    Stage::Plan plan{.programs = placed(std::move(config.programs), given.config),
                     .broker = find_broker(given.server),
                     .data = folder(given),
                     .folder = folder_of(given.config),
                     .previous = previous(given),
                     .trial = std::move(config.trial),
                     .seed = tally.seed};
    const files::path data = plan.data;
    note(fmt::format("saga chaos: seed {}, logs and data in {}", tally.seed, data.string()));
    {
        Signals signals;
        Guard guard;
        Stage stage(std::move(plan), signals, guard);
        Trying(given, tally, stage).run();
    }
    report(options, given, tally, data);
    if (!given.keep && given.data.empty()) files::remove_all(data);
}

}  // namespace

void add_chaos(Command& tool, Options& options) {
    auto given = std::make_shared<Given>();
    Command command = tool.command(
        "chaos", "Put the services of a file to the test: kill, cut off, roll back; then audit");
    command.group("Operate");
    command.footer(
        "Starts the file's programs with a broker of its own, sends the load of its section\n"
        "[chaos], harms everything, lets it heal, and looks whether anything was lost or done\n"
        "twice. Ends with 0 when nothing was, and every kind of fault has struck. Nothing outside\n"
        "of its folder is touched.\n\n"
        "Examples:\n"
        "  saga chaos --config services/shop.ini\n"
        "  saga chaos --config services/shop.ini --minutes 1 --fault kill --fault broker-wipe");
    command.option("--config", given->config, "the programs, and [chaos]").required().type("FILE");
    command.option("--minutes", given->minutes, "how long faults are made; otherwise 3")
        .between(0.0, 100'000.0)
        .type("M");
    command.option("--fault", given->kinds, "only this kind; may be repeated")
        .one_of(Torment::kinds())
        .type("KIND");
    command.option("--load", given->load, "instead of the file's").type("COMMAND");
    command.option("--seed", given->seed, "of everything that is drawn").type("N");
    command.option("--kills", given->least_kills, "fail below so many").type("N");
    command.option("--previous", given->previous, "programs of an earlier build: begin as these")
        .type("DIR");
    command.option("--rest", given->bound, "until which everything must be at rest; otherwise 2m");
    command.option("--nats-server", given->server, "otherwise the one on PATH").type("PROGRAM");
    command.option("--data", given->data, "a new folder; otherwise a temporary one").type("DIR");
    command.flag("--keep", given->keep, "keep the folder also when all is well");
    command.runs([&options, given] { chaos(options, *given); });
}

}  // namespace saga::cli
