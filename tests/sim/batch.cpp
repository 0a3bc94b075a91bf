#include "tests/sim/batch.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <nlohmann/json.hpp>
#include <sstream>

#include "saga/include/saga/error.hpp"

namespace saga::sim {
namespace {

using nlohmann::json;

std::int64_t milliseconds(Duration time) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
}

json to_json(const Outcome& outcome) {
    json points = json::array();
    for (const Point& point : outcome.points)
        points.push_back({point.machine, point.act, point.what});
    return {{"violations", outcome.violations},
            {"points", points},
            {"coverage", outcome.coverage.rows()},
            {"counts",
             {outcome.trace, outcome.sagas, outcome.kills, outcome.power_cuts, outcome.duplicates,
              outcome.events, static_cast<std::uint64_t>(outcome.lasted.count())}}};
}

Outcome from_json(const json& value) {
    Outcome outcome;
    outcome.violations = value.at("violations").get<std::vector<std::string>>();
    for (const auto& [row, times] : value.at("coverage").items())
        outcome.coverage.hit(row, times.get<std::uint64_t>());
    const auto counts = value.at("counts").get<std::array<std::uint64_t, 7>>();
    outcome.trace = counts[0];
    outcome.sagas = counts[1];
    outcome.kills = counts[2];
    outcome.power_cuts = counts[3];
    outcome.duplicates = counts[4];
    outcome.events = counts[5];
    outcome.lasted = Duration(static_cast<Duration::rep>(counts[6]));
    for (const json& point : value.at("points"))
        outcome.points.push_back({point.at(0), point.at(1), point.at(2)});
    return outcome;
}

/// A process that runs one setup and writes what came of it into a pipe.
struct Apart {
    Setup setup;
    pid_t process = -1;
    int output = -1;
    std::string text;

    void begin(const Setup& given, bool twice) {
        setup = given;
        text.clear();
        std::array<int, 2> ends{};
        if (::pipe(ends.data()) != 0) throw Error("cannot make a pipe");
        std::fflush(nullptr);
        process = ::fork();
        if (process < 0) throw Error("cannot start a process");
        if (process == 0) {
            ::close(ends[0]);
            child(ends[1], twice);
        }
        ::close(ends[1]);
        output = ends[0];
    }
    /// Whether it has ended; call when there is something to read.
    bool read() {
        std::array<char, 65536> piece{};
        const ssize_t size = ::read(output, piece.data(), piece.size());
        if (size > 0) text.append(piece.data(), static_cast<std::size_t>(size));
        return size <= 0;
    }
    Outcome end() {
        ::close(output);
        int status = 0;
        ::waitpid(process, &status, 0);
        process = -1;
        const json value = json::parse(text, nullptr, false);
        if (value.is_object()) return from_json(value);
        Outcome died;
        died.violations.push_back(
            WIFSIGNALED(status)
                ? fmt::format("the simulation died of signal {}", ::strsignal(WTERMSIG(status)))
                : fmt::format("the simulation ended with {}: {}", WEXITSTATUS(status), text));
        return died;
    }

  private:
    [[noreturn]] void child(int to, bool twice) const {
        std::string said;
        int code = 0;
        try {
            Outcome outcome = simulate(setup);
            if (twice && simulate(setup).trace != outcome.trace)
                outcome.violations.emplace_back("I14: the same seed took another course");
            said = to_json(outcome).dump();
        } catch (const std::exception& failure) {
            said = failure.what();
            code = 1;
        }
        for (std::size_t at = 0; at < said.size();) {
            const ssize_t size = ::write(to, said.data() + at, said.size() - at);
            if (size <= 0) break;
            at += static_cast<std::size_t>(size);
        }
        ::_exit(code);
    }
};

std::string replay_canned(const Setup& setup) {
    std::string line = fmt::format("scripts/sim --seed {} --canned {}", setup.seed,
                                   setup.canned == Canned::completed ? "completed" : "undone");
    for (const Crash& crash : setup.crashes)
        line += fmt::format(" --crash {}:{}:{}", crash.machine, crash.act,
                            crash.death == Death::kill ? "kill" : "power");
    return setup.disks_lie ? line + " --disks lie" : line;
}

Crash read_crash(const std::string& text) {
    std::istringstream parts(text);
    Crash crash;
    std::string act, death;
    std::getline(parts, crash.machine, ':');
    std::getline(parts, act, ':');
    std::getline(parts, death);
    if (death != "kill" && death != "power") throw Error("a crash is machine:act:kill or :power");
    crash.act = std::stoull(act);
    crash.death = death == "kill" ? Death::kill : Death::power_cut;
    return crash;
}

}  // namespace

std::string replay_line(const Setup& setup) {
    std::vector<std::string_view> names;
    for (const Fault fault : setup.faults) names.push_back(name_of(fault));
    if (setup.canned != Canned::none) return replay_canned(setup);
    return fmt::format("scripts/sim --seed {} --sagas {} --trouble {} --faults {}{}", setup.seed,
                       setup.sagas, milliseconds(setup.trouble),
                       names.empty() ? "none" : fmt::format("{}", fmt::join(names, ",")),
                       setup.keys == Keys::hot ? " --keys hot" : "");
}

Setup read_replay(const std::string& line) {
    Setup setup;
    std::istringstream words(line);
    for (std::string word, value; words >> word;) {
        if (!word.starts_with("--")) continue;
        if (!(words >> value)) throw Error("a value is missing behind " + word);
        if (word == "--seed") setup.seed = std::stoull(value);
        if (word == "--sagas") setup.sagas = std::stoi(value);
        if (word == "--canned")
            setup.canned = value == "undone" ? Canned::undone : Canned::completed;
        if (word == "--crash") setup.crashes.push_back(read_crash(value));
        if (word == "--disks") setup.disks_lie = value == "lie";
        if (word == "--trouble") setup.trouble = std::chrono::milliseconds(std::stoll(value));
        if (word == "--keys") setup.keys = value == "hot" ? Keys::hot : Keys::calm;
        if (word != "--faults" || value == "none") continue;
        std::istringstream names(value);
        for (std::string name; std::getline(names, name, ',');) {
            const auto fault = fault_of(name);
            if (!fault) throw Error("there is no fault " + name);
            setup.faults.insert(*fault);
        }
    }
    return setup;
}

Outcome run_apart(const Setup& setup, bool twice) {
    Apart apart;
    apart.begin(setup, twice);
    while (!apart.read()) {
    }
    return apart.end();
}

Setup shrunk(Setup failing, int trials) {
    if (failing.canned != Canned::none) return failing;
    const auto fails = [&](const Setup& setup) {
        return trials-- > 0 && !run_apart(setup, false).violations.empty();
    };
    for (bool smaller = true; smaller && trials > 0;) {
        smaller = false;
        for (const Fault fault : std::set(failing.faults)) {
            Setup without = failing;
            without.faults.erase(fault);
            if (!fails(without)) continue;
            failing = without;
            smaller = true;
        }
        for (const int sagas : {1, failing.sagas / 2, failing.sagas - 1}) {
            Setup fewer = failing;
            fewer.sagas = sagas;
            if (sagas < 1 || sagas >= failing.sagas || !fails(fewer)) continue;
            failing = fewer;
            smaller = true;
            break;
        }
        Setup shorter = failing;
        shorter.trouble = failing.trouble / 2;
        if (shorter.trouble > std::chrono::seconds(1) && fails(shorter)) {
            failing = shorter;
            smaller = true;
        }
    }
    return failing;
}

void run_all(unsigned jobs, const std::function<std::optional<Job>()>& next, const Done& done) {
    std::vector<Apart> running(jobs);
    while (true) {
        std::vector<pollfd> open;
        std::vector<Apart*> slots;
        for (Apart& slot : running) {
            if (slot.process < 0)
                if (const std::optional<Job> job = next()) slot.begin(job->setup, job->twice);
            if (slot.process < 0) continue;
            open.push_back({slot.output, POLLIN, 0});
            slots.push_back(&slot);
        }
        if (open.empty()) return;
        ::poll(open.data(), open.size(), -1);
        for (std::size_t i = 0; i < open.size(); ++i) {
            if (open[i].revents == 0 || !slots[i]->read()) continue;
            const Outcome outcome = slots[i]->end();
            done(slots[i]->setup, outcome);
        }
    }
}

void run_batch(const Batch& batch, const Done& done) {
    const auto begun = std::chrono::steady_clock::now();
    const std::uint64_t all = batch.known.size() + batch.seeds;
    std::uint64_t next = 0;
    const auto take = [&]() -> std::optional<Job> {
        if (next >= all || std::chrono::steady_clock::now() - begun >= batch.most)
            return std::nullopt;
        const std::uint64_t nth = next++;
        return Job{nth < batch.known.size() ? batch.known[nth]
                                            : draw(batch.first + nth - batch.known.size()),
                   nth % 10 == 0};
    };
    run_all(batch.jobs, take, done);
}

}  // namespace saga::sim
