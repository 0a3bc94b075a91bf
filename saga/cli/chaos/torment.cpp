#include "saga/cli/chaos/torment.hpp"

#include <algorithm>

#include "saga/cli/words.hpp"

namespace saga::cli {
namespace {

using namespace std::chrono_literals;

constexpr Duration kLeastGap = 50ms, kMostGap = 900ms;  // between two kills
constexpr auto kOld = 3.0;  // seconds that a service which is at rest leaves nothing unsent

}  // namespace

Torment::Torment(Stage& stage, Tally& tally, std::vector<std::string> kinds,
                 std::function<void(const std::string&)> say)
    : stage_(stage),
      tally_(tally),
      wish_(std::move(kinds)),
      say_(std::move(say)),
      chance_(tally.seed),
      attack_(stage, chance_) {
    look_what_is_possible();
}

const std::vector<Torment::Kind>& Torment::all() {
    static const std::vector<Kind> kinds{{"kill", &Torment::kill},
                                         {"pause", &Torment::pause},
                                         {"partition", &Torment::partition},
                                         {"half-open", &Torment::half_open},
                                         {"delay", &Torment::delay},
                                         {"cut", &Torment::cut},
                                         {"reset", &Torment::reset},
                                         {"broker-kill", &Torment::broker_kill},
                                         {"broker-pause", &Torment::broker_pause},
                                         {"broker-rollback", &Torment::broker_rollback},
                                         {"broker-wipe", &Torment::broker_wipe},
                                         {"disk-full", &Torment::disk_full},
                                         {"duplicate", &Torment::duplicate},
                                         {"copy", &Torment::copy},
                                         {"restore", &Torment::restore},
                                         {"clock", &Torment::clock},
                                         {"attack", &Torment::attack},
                                         {"rolling", &Torment::rolling}};
    return kinds;
}

std::vector<std::string> Torment::kinds() {
    std::vector<std::string> names;
    for (const Kind& kind : all()) names.emplace_back(kind.name);
    names.emplace_back("failpoints");
    return names;
}

bool Torment::wanted(std::string_view kind) const {
    if (tally_.skipped.contains(std::string(kind))) return false;
    return wish_.empty() || std::find(wish_.begin(), wish_.end(), kind) != wish_.end();
}

// ---- the course ---------------------------------------------------------------------------------

/// What found nothing to strike at, as an attack just behind a wipe, gets some more tries.
constexpr int kTimes = 3;

void Torment::run(Duration time) {
    const Steady end = std::chrono::steady_clock::now() + time;
    std::vector<std::function<void()>> due;
    for (const Kind& kind : all())
        if (wanted(kind.name)) due.emplace_back([this, kind] { make(kind); });
    if (wanted("failpoints"))
        for (const Point& point : points()) due.emplace_back([this, point] { failpoint(point); });
    std::shuffle(due.begin(), due.end(), chance_);
    upgrade();
    for (const auto& each : due) each();
    std::vector<Kind> again;
    for (const Kind& kind : all())
        if (wanted(kind.name)) again.push_back(kind);
    for (int i = 0; i < kTimes; ++i)
        for (const Kind& kind : again)
            if (tally_.faults[std::string(kind.name)] == 0) make(kind);
    while (std::chrono::steady_clock::now() < end && !again.empty()) {
        make(again[draw<std::size_t>(0, again.size() - 1)]);
        linger(draw(200ms, 2'000ms));
    }
}

void Torment::make(const Kind& kind) {
    const std::size_t before = tally_.faults[std::string(kind.name)];
    (this->*kind.make)();
    if (tally_.faults[std::string(kind.name)] == before)
        say_(fmt::format("{} did not strike", kind.name));
}

void Torment::struck(const std::string& kind) {
    ++tally_.faults[kind];
}

void Torment::wrong(const std::string& what) {
    say_("WRONG: " + what);
    tally_.violations.push_back(what);
}

void Torment::heal() {
    for (std::size_t i = 0; i < stage_.proxy().links(); ++i) stage_.proxy().set(i, LinkFault::none);
    for (Member& member : stage_.members()) {
        stage_.supervisor().signal(member.number, SIGCONT);
        for (const char* name : {"SAGA_FAILPOINT", "LD_PRELOAD"}) stage_.env(member, name, "");
    }
    stage_.supervisor().signal(stage_.broker(), SIGCONT);
    stage_.await_broker();
}

void Torment::linger(Duration time) {
    const Steady end = std::chrono::steady_clock::now() + time;
    while (true) {
        const auto left = std::chrono::floor<Duration>(end - std::chrono::steady_clock::now());
        if (left <= 0ms) return;
        const Duration gap = draw(kLeastGap, kMostGap);
        stage_.pass(std::min(gap, left));
        if (gap < left && wanted("kill")) kill();
    }
}

bool Torment::calm(Duration limit) {
    const Steady end = std::chrono::steady_clock::now() + limit;
    for (Member* member : stage_.services()) {
        const bool well = stage_.until(
            std::max(0ms, std::chrono::floor<Duration>(end - std::chrono::steady_clock::now())),
            [&] {
                const auto state = stage_.state(*member);
                return state && state->ready && state->oldest_seconds < kOld;
            });
        if (well) continue;
        say_(fmt::format("{} is not well after {}", member->name(), brief(limit)));
        return false;
    }
    return true;
}

Member& Torment::any_member() {
    return stage_.members()[draw<std::size_t>(0, stage_.members().size() - 1)];
}

Member& Torment::any_service() {
    const auto services = stage_.services();
    return *services[draw<std::size_t>(0, services.size() - 1)];
}

// ---- links --------------------------------------------------------------------------------------

/// Of one link, or of all of them.
void Torment::link_fault(LinkFault fault, std::string_view name, Duration least, Duration most) {
    const std::size_t links = stage_.proxy().links();
    const bool all = draw(0, 3) == 0;
    const auto one = draw<std::size_t>(0, links - 1);
    const auto set_all = [&](LinkFault what) {
        for (std::size_t i = 0; i < links; ++i)
            if (all || i == one) stage_.proxy().set(i, what);
    };
    const Duration time = draw(least, most);
    say_(fmt::format("{} of {} for {}", name, all ? "every link" : "a link", brief(time)));
    set_all(fault);
    if (fault == LinkFault::cut) stage_.until(S(3), [&] { return !stage_.proxy().cutting(one); });
    linger(time);
    if (fault != LinkFault::cut || !stage_.proxy().cutting(one)) struck(std::string(name));
    set_all(LinkFault::none);
}

// ---- processes ----------------------------------------------------------------------------------

void Torment::kill() {
    Member& member = any_member();
    if (!stage_.supervisor().runs(member.number)) return;
    stage_.supervisor().strike(member.number);
    ++tally_.kills;
    struck("kill");
}

void Torment::pause() {
    Member& member = any_member();
    const Duration time = draw(500ms, 7'000ms);  // past a missed heartbeat, and past a takeover
    say_(fmt::format("pause of {} for {}", member.name(), brief(time)));
    stage_.supervisor().signal(member.number, SIGSTOP);
    stage_.pass(time);
    stage_.supervisor().signal(member.number, SIGCONT);
    struck("pause");
}

/// The clock of a service jumps forth and back while it runs.
void Torment::clock() {
    Member& member = any_service();
    const std::filesystem::path file = stage_.plan().data / "clock";
    const auto set_clock = [&](const char* offset) { std::ofstream(file) << offset << '\n'; };
    say_(fmt::format("clock of {} jumps by an hour, both ways", member.name()));
    set_clock("+0");
    stage_.env(member, "LD_PRELOAD", clock_library().string());
    stage_.env(member, "FAKETIME_TIMESTAMP_FILE", file.string());
    stage_.env(member, "FAKETIME_DONT_FAKE_MONOTONIC", "1");
    stage_.env(member, "DONT_FAKE_MONOTONIC", "1");
    stage_.env(member, "FAKETIME_CACHE_DURATION", "1");
    stage_.supervisor().strike(member.number);
    ++tally_.kills;
    if (stage_.await_ready(member, S(15))) struck("clock");
    for (const char* offset : {"+1h", "-1h"}) {
        set_clock(offset);
        stage_.pass(draw(1'200ms, 2'500ms));
    }
    stage_.env(member, "LD_PRELOAD", "");
    stage_.supervisor().strike(member.number);
    ++tally_.kills;
}

void Torment::restart(Member& member) {
    if (!stage_.stop(member)) wrong(member.name() + " does not stop when it is asked to");
    stage_.supervisor().launch(member.number).program = member.program.path;
    stage_.start(member);
    if (!stage_.await_ready(member, S(30)))
        wrong(member.name() + " does not become ready after a restart");
}

void Torment::rolling() {
    say_("rolling restart");
    for (Member& member : stage_.members()) restart(member);
    struck("rolling");
}

void Torment::upgrade() {
    if (stage_.plan().previous.empty()) return;
    linger(S(2));
    for (Member& member : stage_.members()) {
        if (member.earlier.empty()) continue;
        say_(fmt::format("upgrade of {}, which began as {}", member.name(),
                         member.earlier.string()));
        restart(member);
        struck("upgrade");
        linger(draw(500ms, 1'500ms));
    }
}

void Torment::attack() {
    say_("attack: junk, halves, a bomb, a stranger's name, a forged id, old events");
    if (attack_.send() > 0) struck("attack");
    linger(S(1));
}

}  // namespace saga::cli
