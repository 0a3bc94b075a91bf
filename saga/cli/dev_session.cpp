#include "saga/cli/dev_session.hpp"

#include <fmt/ranges.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <nlohmann/json.hpp>

#include "saga/cli/bootstrap.hpp"
#include "saga/cli/broker_info.hpp"
#include "saga/cli/buckets.hpp"
#include "saga/cli/output.hpp"
#include "saga/cli/participants.hpp"
#include "saga/cli/words.hpp"
#include "saga/core/subject.hpp"
#include "saga/view/message_json.hpp"

namespace saga::cli {
namespace {

using namespace std::chrono_literals;

constexpr auto kBrokerStarts = 15s;  // a store of some gigabytes is looked through by then
constexpr auto kProgramsStop = 15s;  // a service takes at most ten
constexpr auto kBrokerStops = 10s;
constexpr auto kRequest = 2'000ms;  // of our own, to a broker on this machine
constexpr auto kReadyAnswer = 100ms;
constexpr auto kLookBroker = 20ms;
constexpr auto kLookReady = 250ms;
constexpr auto kLookGone = 20ms;
constexpr std::size_t kTail = 5;  // lines of the broker that are shown when it does not start

/// How a Go program begins to say that it dies.
bool crash(std::string_view log_line) {
    return log_line.starts_with("panic: ") || log_line.starts_with("fatal error: ");
}

bool trouble(std::string_view log_line) {
    if (crash(log_line)) return true;
    constexpr std::array<std::string_view, 3> kLevels{"[WRN]", "[ERR]", "[FTL]"};
    return std::any_of(kLevels.begin(), kLevels.end(), [&](std::string_view level) {
        return log_line.find(level) != std::string_view::npos;
    });
}

}  // namespace

DevSession::DevSession(Plan plan, Signals& signals, Guard& guard)
    : plan_(std::move(plan)),
      signals_(signals),
      outlet_(STDOUT_FILENO),
      supervisor_(
          guard, [this](std::size_t program, std::string_view line) { on_line(program, line); },
          [this](std::size_t program, const std::string& text) { remark(program, text); }) {
    names_.emplace_back("nats");
    for (const Program& program : plan_.programs)
        columns_ = std::max(columns_, program.name.size());
}

std::string DevSession::url() const {
    return fmt::format("nats://127.0.0.1:{}", plan_.port);
}

Exit DevSession::run() {
    begun_ = std::chrono::steady_clock::now();
    deadline_ = begun_ + kBrokerStarts;
    broker_ = supervisor_.add("nats", broker_launch(plan_.broker, plan_.data / "nats", plan_.port));
    while (true) {
        const Steady now = std::chrono::steady_clock::now();
        ask_to_stop(now, signals_.take_stops());
        outlet_.drain();
        if (outlet_.broken() && phase_ < Phase::stopping) ask_to_stop(now, 1);
        supervisor_.turn(now, outlet_.full());
        step(now);
        const bool over = phase_ == Phase::stopping_broker && supervisor_.gone(broker_);
        if (over) break;
        wait(std::min(supervisor_.next_due(), next_look_));
    }
    outlet_.drain();
    if (!failure_.empty()) throw Stop(kError, failure_);
    if (!killed_) say("stopped");
    return killed_ ? kInterrupted : kOk;
}

void DevSession::step(Steady now) {
    switch (phase_) {
        case Phase::broker:
            next_look_ = now + kLookBroker;
            if (supervisor_.deaths(broker_) > 0)
                return fail(fmt::format("the nats-server {} does not start: name another one with "
                                        "--nats-server, or mend what it says",
                                        plan_.broker.string()),
                            now);
            if (now >= deadline_)
                return fail(
                    fmt::format("the nats-server {} does not answer in time: is the machine busy, "
                                "or its store in {} very large?",
                                plan_.broker.string(), plan_.data.string()),
                    now);
            if (supervisor_.runs(broker_) && greet({"127.0.0.1", plan_.port}, 200ms).info)
                begin_programs();
            return;
        case Phase::programs:
            tell();
            return look_ready(now);
        case Phase::stopping:
            next_look_ = now + kLookGone;
            if (now >= deadline_)
                for (const std::size_t each : programs_) {
                    if (!supervisor_.gone(each)) remark(each, "does not stop, and is killed");
                    supervisor_.kill(each);
                }
            if (!programs_gone()) return;
            if (client_) forget_meant();
            client_.reset();
            phase_ = Phase::stopping_broker;
            deadline_ = now + kBrokerStops;
            return supervisor_.stop(broker_);
        case Phase::stopping_broker:
            next_look_ = now + kLookGone;
            if (now >= deadline_) supervisor_.kill(broker_);
            return;
    }
}

void DevSession::wait(Steady until) {
    std::vector<pollfd> all{{signals_.fd(), POLLIN, 0}};
    if (outlet_.waiting()) all.push_back({outlet_.fd(), POLLOUT, 0});
    if (!outlet_.full())
        for (const int descriptor : supervisor_.poll_on()) all.push_back({descriptor, POLLIN, 0});
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    ::poll(all.data(), all.size(),
           static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 1'000)));
}

// ---- starting -----------------------------------------------------------------------------------

void DevSession::begin_programs() {
    bus::Address address;
    address.url = url();
    address.timeout = kRequest;
    try {
        client_ = std::make_unique<bus::NatsClient>(address, "saga dev");
        for (const Made& made : make_assets(*client_, kRequest))
            if (!made.faults.empty())
                say(
                    fmt::format("{} has settings that lose events: {}; `saga bootstrap --mend` "
                                "changes them",
                                made.name, made.faults.front()));
        write_meant();
        desk_.open(*client_);
    } catch (const Error& error) {
        return fail(fmt::format("cannot make the streams: {}", error.what()),
                    std::chrono::steady_clock::now());
    }
    phase_ = Phase::programs;
    for (const Placed& program : plan_.programs) {
        names_.push_back(program.name);
        programs_.push_back(
            supervisor_.add(program.name, program_launch(program, url(), plan_.data)));
    }
    next_look_ = std::chrono::steady_clock::now();
    say_up();
}

/// What saga doctor expects to find, until it was ended on purpose.
void DevSession::write_meant() {
    nlohmann::ordered_json meant{{"by", "saga dev"}, {"services", nlohmann::json::array()}};
    for (const Program& program : plan_.programs) {
        meant["programs"].push_back(
            {{"name", program.name}, {"command", program.command}, {"service", program.service}});
        if (!program.service) continue;
        meant["services"].push_back(program.name);
        unready_.push_back(program.name);
    }
    Bucket(*client_, core::kConfig, kRequest).put(kMeantKey, meant.dump());
}

void DevSession::forget_meant() {
    if (killed_) return;
    try {
        Bucket(*client_, core::kConfig, kRequest).remove(kMeantKey);
    } catch (const Error&) {
        // Then the next saga dev writes it anew.
    }
}

/// To whoever asks what became of the programs.
void DevSession::tell() {
    bool changed = status_.programs.empty();
    status_.programs.resize(programs_.size());
    for (std::size_t i = 0; i < programs_.size(); ++i) {
        DevProgram& program = status_.programs[i];
        const bool running = supervisor_.runs(programs_[i]);
        const std::uint64_t deaths = supervisor_.deaths(programs_[i]);
        changed = changed || program.running != running || program.deaths != deaths;
        program.name = plan_.programs[i].name;
        program.service = plan_.programs[i].service;
        program.running = running;
        program.deaths = deaths;
    }
    if (!changed) return;
    status_.process = ::getpid();
    status_.data = plan_.data.string();
    desk_.set(status_);
}

/// Says once when all services are ready. One question at a time, which a service that is down
/// answers at once: nobody is there.
void DevSession::look_ready(Steady now) {
    if (unready_.empty() || now < next_look_) return;
    next_look_ = now + kLookReady;
    const Participants participants(*client_, kReadyAnswer);
    while (!unready_.empty()) {
        const auto state = participants.state(unready_.front());
        if (!state || !state->ready) return;
        unready_.erase(unready_.begin());
    }
    next_look_ = Steady::max();
    say(fmt::format("all services are ready after {}", brief(now - begun_)));
}

// ---- stopping -----------------------------------------------------------------------------------

void DevSession::ask_to_stop(Steady now, int times) {
    if (times == 0) return;
    const bool again = phase_ >= Phase::stopping || times > 1;
    if (again) {
        killed_ = true;
        for (const std::size_t each : programs_) supervisor_.kill(each);
        supervisor_.kill(broker_);
        phase_ = std::max(phase_, Phase::stopping);
        deadline_ = now;
        return;
    }
    say("stopping: services first, then the nats-server; Ctrl-C again kills them");
    phase_ = Phase::stopping;
    deadline_ = now + kProgramsStop;
    for (const std::size_t each : programs_) supervisor_.stop(each);
}

bool DevSession::programs_gone() const {
    return std::all_of(programs_.begin(), programs_.end(),
                       [&](std::size_t each) { return supervisor_.gone(each); });
}

void DevSession::fail(const std::string& why, Steady now) {
    supervisor_.turn(now, false);  // its last words, if it has died
    failure_ = why;
    for (const std::string& line : broker_says_) failure_ += "\n  " + harmless(line);
    phase_ = Phase::stopping_broker;
    deadline_ = now + kBrokerStops;
    next_look_ = now;
    supervisor_.stop(broker_);
}

// ---- what is shown ------------------------------------------------------------------------------

/// Of the broker only what is wrong: it says a screenful at each start.
void DevSession::on_line(std::size_t program, std::string_view line) {
    if (program == broker_) {
        keep(line);
        if (!trouble(line) || phase_ == Phase::broker) return;
    } else {
        says_[program] = line;
    }
    if (plan_.json)
        return outlet_.put(cli::line({{"program", names_[program]}, {"line", line}}) + "\n");
    outlet_.put(prefixed(paint_, program, names_[program], columns_, line));
}

/// The last lines; of a crash the first ones, since the last are the middle of a stack.
void DevSession::keep(std::string_view line) {
    if (crash(line)) broker_says_.clear();
    broker_says_.emplace_back(line);
    if (broker_says_.size() <= kTail) return;
    crash(broker_says_.front()) ? broker_says_.pop_back() : broker_says_.pop_front();
}

void DevSession::remark(std::size_t program, const std::string& text) {
    if (phase_ == Phase::broker) return;  // its end is the end of all: fail() says why
    say(fmt::format("{} {}", names_[program], text));
    const auto at = std::find(programs_.begin(), programs_.end(), program);
    const auto nth = static_cast<std::size_t>(at - programs_.begin());
    if (nth >= status_.programs.size()) return;
    status_.programs[nth].ended = text;
    status_.programs[nth].said = harmless(says_[program]);
}

void DevSession::say(const std::string& text) {
    note(fmt::format("saga dev: {}", text));
}

void DevSession::say_up() {
    std::vector<std::string> names;
    for (const Program& program : plan_.programs) names.push_back(program.name);
    if (plan_.json)
        outlet_.put(line({{"event", "up"}, {"url", url()}, {"programs", names}}) + "\n");
    say(fmt::format("{} is up, its data in {}", url(), plan_.data.string()));
    say(fmt::format("starting {}", fmt::join(names, ", ")));
    const std::filesystem::path own = own_path();
    const std::string saga = on_path("saga") == own ? "saga" : own.string();
    const std::string server =
        plan_.port == 4222 ? "" : fmt::format("  export NATS_URL={}\n", url());
    note(
        fmt::format("Try in another terminal:\n{0}"
                    "  {1} doctor --wait 30s   is all well, and how to mend what is not\n"
                    "  {1} watch               events as they happen\n"
                    "  {1} ls                  the latest sagas; then {1} trace ID\n"
                    "Ctrl-C stops everything.",
                    server, saga));
}

}  // namespace saga::cli
