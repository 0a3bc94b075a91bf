#include "saga/cli/chaos/stage.hpp"

#include <poll.h>
#include <sys/wait.h>

#include <algorithm>

#include "saga/cli/bootstrap.hpp"
#include "saga/cli/broker_info.hpp"
#include "saga/cli/words.hpp"
#include "saga/core/shard.hpp"
#include "saga/runtime/key_file.hpp"

namespace saga::cli {
namespace {

namespace files = std::filesystem;
using namespace std::chrono_literals;

constexpr auto kBeat = 20ms;  // between two looks at a condition
constexpr auto kBrokerStarts = 30s;
constexpr auto kProgramStops = 20s;  // a service takes at most ten
constexpr auto kListens = 500ms;     // a program that has started, to signals
constexpr auto kRequest = 2'000ms;   // to the broker
constexpr auto kAnswer = 300ms;      // of a service that is well
constexpr auto kPause = 100ms;       // before what died is started again
constexpr std::size_t kSaid = 64 * 1024;

/// Signals that no program is meant to end with.
bool crash(int status) {
    if (!WIFSIGNALED(status)) return false;
    const int signal = WTERMSIG(status);
    return signal != SIGKILL && signal != SIGTERM;
}

}  // namespace

Stage::Stage(Plan plan, Signals& signals, Guard& guard)
    : plan_(std::move(plan)),
      signals_(signals),
      supervisor_(
          guard, [this](std::size_t program, std::string_view line) { on_line(program, line); },
          [this](std::size_t program, const std::string& text) { on_remark(program, text); },
          Backoff(kPause)) {
    files::create_directories(logs());
    port_ = pick_port(0);
    proxy_ = std::make_unique<Proxy>(port_, plan_.seed);
    for (Placed& program : plan_.programs) {
        for (const auto& [name, value] : plan_.trial.env) program.env.emplace_back(name, value);
        Member& member = members_.emplace_back(Member{.program = program});
        member.link = proxy_->add();
        member.data = plan_.data / program.name;
        const files::path earlier = plan_.previous / program.path.filename();
        if (!plan_.previous.empty() && files::exists(earlier)) member.earlier = earlier;
        files::create_directories(member.data);
    }
}

Stage::~Stage() {
    listeners_.clear();  // who listened may be gone
    client_.reset();
    for (std::size_t i = 0; i < names_.size(); ++i) {
        supervisor_.signal(i, SIGCONT);
        supervisor_.kill(i);
    }
    for (std::size_t i = 0; i < names_.size(); ++i)
        while (!supervisor_.gone(i)) {
            supervisor_.turn(std::chrono::steady_clock::now());
            wait(std::chrono::steady_clock::now() + kBeat);
        }
}

std::string Stage::url() const {
    return fmt::format("nats://127.0.0.1:{}", port_);
}

void Stage::open(const std::map<std::string, std::string>& env) {
    broker_ = supervisor_.add("nats", broker_launch(plan_.broker, plan_.data / "nats", port_));
    name(broker_, "nats");
    await_broker();
    share_keys();
    for (Member& member : members_) {
        Launch launch = program_launch(
            member.program, fmt::format("nats://127.0.0.1:{}", proxy_->port(member.link)),
            member.data);
        if (!member.earlier.empty()) launch.program = member.earlier;
        if (const auto more = env.find(member.name()); more != env.end())
            set(launch.env, more->second.substr(0, more->second.find('=')),
                more->second.substr(more->second.find('=') + 1));
        member.number = supervisor_.add(member.name(), std::move(launch));
        name(member.number, member.name());
        by_number_[member.number] = &member;
    }
}

/// The shards of a service have one key, each in a folder of its own.
void Stage::share_keys() {
    std::map<std::string, std::string> first;  // by service
    for (const Member& member : members_) {
        const core::Instance self = core::parse_instance(member.name());
        if (self.shard.whole()) continue;
        std::filesystem::create_directories(member.data);
        const std::string key = runtime::key_path(member.data.string(), member.name());
        const auto [its, fresh] = first.emplace(self.service, key);
        if (fresh)
            runtime::load_key(key, true);
        else
            std::filesystem::copy_file(its->second, key);
    }
}

void Stage::name(std::size_t program, const std::string& name) {
    SAGA_ASSERT(program == names_.size());
    names_.push_back(name);
}

// ---- time ---------------------------------------------------------------------------------------

bool Stage::until(Duration limit, const std::function<bool()>& met) {
    const Steady last = std::chrono::steady_clock::now() + limit;
    while (true) {
        const Steady now = std::chrono::steady_clock::now();
        if (signals_.take_stops() > 0) throw Stop(kInterrupted, "interrupted");
        supervisor_.turn(now);
        if (met()) return true;
        if (now >= last) return false;
        wait(std::min({supervisor_.next_due(), last, std::chrono::steady_clock::now() + kBeat}));
    }
}

void Stage::pass(Duration time) {
    until(time, [] { return false; });
}

void Stage::wait(Steady until) {
    std::vector<pollfd> all{{signals_.fd(), POLLIN, 0}};
    for (const int descriptor : supervisor_.poll_on()) all.push_back({descriptor, POLLIN, 0});
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    ::poll(all.data(), all.size(),
           static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 1'000)));
}

// ---- programs -----------------------------------------------------------------------------------

std::vector<Member*> Stage::services() {
    std::vector<Member*> found;
    for (Member& member : members_)
        if (member.program.service) found.push_back(&member);
    return found;
}

Member& Stage::member(std::string_view name) {
    const auto found = std::find_if(members_.begin(), members_.end(),
                                    [&](const Member& each) { return each.name() == name; });
    SAGA_ASSERT(found != members_.end());
    return *found;
}

std::optional<ServiceState> Stage::state(const Member& member) {
    try {
        return Participants(*client_, kAnswer).state(member.name());
    } catch (const Error&) {
        return std::nullopt;
    }
}

bool Stage::await_ready(Member& member, Duration limit) {
    if (!member.program.service)
        return until(limit, [&] { return supervisor_.runs(member.number); });
    return until(limit, [&] {
        const auto known = state(member);
        return known && known->ready;
    });
}

bool Stage::stop(Member& member) {
    // What dies of something else just now does not stop cleanly, nor what does not listen yet.
    until(kProgramStops, [&] {
        return !supervisor_.revives(member.number) &&
               std::chrono::steady_clock::now() - supervisor_.since(member.number) >= kListens;
    });
    supervisor_.stop(member.number);
    const bool gone = until(kProgramStops, [&] { return supervisor_.gone(member.number); });
    if (!gone) {
        supervisor_.kill(member.number);
        until(kProgramStops, [&] { return supervisor_.gone(member.number); });
    }
    return gone && supervisor_.ended(member.number) == 0;
}

void Stage::start(Member& member) {
    supervisor_.start_again(member.number);
}

void Stage::env(Member& member, const std::string& name, const std::string& value) {
    Launch& launch = supervisor_.launch(member.number);
    value.empty() ? unset(launch.env, name) : set(launch.env, name, value);
}

void Stage::with_broker_down(const std::function<void(const files::path&)>& work) {
    supervisor_.kill(broker_);
    if (!until(kBrokerStarts, [&] { return supervisor_.gone(broker_); }))
        throw Stop(kError, "the nats-server cannot be ended");
    work(plan_.data / "nats");
    supervisor_.start_again(broker_);
    await_broker();
}

void Stage::await_broker() {
    bus::Address address;
    address.url = url();
    address.timeout = kRequest;
    std::string trouble = "it does not answer";
    const bool there = until(kBrokerStarts, [&] {
        if (!greet({"127.0.0.1", port_}, 200ms).info) return false;
        try {
            if (!client_) client_ = std::make_unique<bus::NatsClient>(address, "saga chaos");
            make_assets(*client_, kRequest);
            return true;
        } catch (const Error& error) {
            trouble = error.what();
            return false;
        }
    });
    if (!there)
        throw Stop(kError,
                   fmt::format("the nats-server {} does not come up: {}; its log is {}",
                               plan_.broker.string(), trouble, (logs() / "nats.log").string()));
}

Outcome Stage::run(const std::string& name, Launch launch, Duration limit) {
    Outcome outcome;
    const std::size_t program = begin(name, std::move(launch), [&](std::string_view line) {
        outcome.said += line;
        outcome.said += '\n';
    });
    const bool ended = until(limit, [&] { return supervisor_.gone(program); });
    if (!ended) {
        supervisor_.kill(program);
        until(kProgramStops, [&] { return supervisor_.gone(program); });
    } else {
        outcome.status = supervisor_.ended(program);
    }
    listeners_.erase(program);
    return outcome;
}

Launch Stage::launch(const std::vector<std::string>& command, const std::string& url) const {
    Placed program;
    program.path = find_program(command.front(), own_path(), plan_.folder);
    program.args = {command.begin() + 1, command.end()};
    Launch made = program_launch(program, url, plan_.data);
    made.folder = plan_.folder;
    return made;
}

std::size_t Stage::begin(const std::string& name, Launch launch,
                         std::function<void(std::string_view)> on_line) {
    const std::size_t program = supervisor_.add_once(name, std::move(launch));
    this->name(program, name);
    listeners_[program] = std::move(on_line);
    until(kProgramStops, [&] { return supervisor_.runs(program) || supervisor_.ended(program); });
    return program;
}

// ---- what they say ------------------------------------------------------------------------------

void Stage::on_line(std::size_t program, std::string_view line) {
    log(program, line);
    if (const auto listener = listeners_.find(program); listener != listeners_.end())
        return listener->second(line);
    const auto known = by_number_.find(program);
    if (known == by_number_.end()) return;
    Member& member = *known->second;
    member.said += line;
    member.said += '\n';
    if (member.said.size() > kSaid) member.said.erase(0, member.said.size() - kSaid / 2);
    // The next process of it goes on as if nothing had been.
    if (line.find("failpoint ") != std::string_view::npos) env(member, "SAGA_FAILPOINT", "");
}

void Stage::on_remark(std::size_t program, const std::string& remark) {
    log(program, "-- " + remark);
    const auto known = by_number_.find(program);
    const int status = supervisor_.ended(program).value_or(0);
    if (known == by_number_.end() || !crash(status) || known->second->may_abort) return;
    crashes_.push_back(fmt::format("{} {}", names_[program], remark));
}

void Stage::log(std::size_t program, std::string_view line) {
    std::ofstream& file = logs_[names_[program]];
    if (!file.is_open()) file.open(logs() / (names_[program] + ".log"), std::ios::app);
    file << clock_text(std::chrono::system_clock::now()) << ' ' << line << '\n' << std::flush;
}

}  // namespace saga::cli
