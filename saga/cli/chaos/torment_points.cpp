// Deaths, pauses and I/O errors at named places of the services' code.
#include <sched.h>
#include <sys/mount.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "saga/cli/buckets.hpp"
#include "saga/cli/chaos/torment.hpp"
#include "saga/cli/words.hpp"

namespace saga::cli {
namespace {

namespace files = std::filesystem;
using namespace std::chrono_literals;

// Until a place is reached that is on every event's way; the bank may be silent meanwhile.
constexpr std::array<Duration, 3> kReached{4s, 8s, 15s};
constexpr auto kFirstStart = 15s;
constexpr int kLast = 12;               // times that a place is passed before it strikes, at most
constexpr auto kFresh = "migrating";    // only a new database comes there
constexpr auto kOlder = "catching_up";  // only a database that is older than the stream
// Passed once, if at all.
constexpr std::array<std::string_view, 8> kRare{"letter",   "rewinding",     "starting", "pruning",
                                                "stopping", "checkpointing", "timer",    kOlder};
constexpr std::string_view kFails = "commit";  // the place where an I/O error can be asked for
// On the way out of a process that was asked to stop.
constexpr std::array<std::string_view, 2> kLeaving{"stopping", "checkpointing"};
// What a service's contract must hold, or else it never comes there.
constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kNeeds{
    {{"asking", R"("calls":true)"},
     {"answered", R"("calls":true)"},
     {"timer", R"("expects":[{)"},
     {"replying", R"("commands":[{)"}}};

bool is_leaving(std::string_view point) {
    return std::find(kLeaving.begin(), kLeaving.end(), point) != kLeaving.end();
}

std::vector<std::string> lines(const std::string& text) {
    std::vector<std::string> found;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) found.push_back(line);
    return found;
}

bool has(const std::vector<std::string>& names, std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

/// Of libfaketime; empty where it is not installed.
files::path find_clock_library() {
    std::error_code none;
    for (const char* folder : {"/usr/lib", "/usr/local/lib", "/usr/lib64"})
        for (const auto& each : files::directory_iterator(folder, none))
            for (const files::path& path :
                 {each.path() / "faketime/libfaketimeMT.so.1", each.path() / "libfaketimeMT.so.1"})
                if (files::exists(path, none)) return path;
    return {};
}

}  // namespace

files::path Torment::clock_library() {
    static const files::path path = find_clock_library();
    return path;
}

/// Says loudly what will not be done.
void Torment::look_what_is_possible() {
    const auto skip = [&](const std::string& kind, const std::string& why) {
        if (!wanted(kind)) return;
        tally_.skipped[kind] = why;
        say_(fmt::format("SKIPPED {}: {}", kind, why));
    };
    if (clock_library().empty()) skip("clock", "libfaketime is not installed");
    // Mounts of our own, which go with us.
    if (wanted("disk-full") && (::unshare(CLONE_NEWNS) != 0 ||
                                ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0))
        skip("disk-full", fmt::format("a small disk needs root ({})", std::strerror(errno)));
    bool any = false;
    for (Member* member : stage_.services()) {
        Launch launch = program_launch(member->program, stage_.url(), member->data);
        const auto ask = [&](const std::string& flag) {
            launch.args = {"--" + flag};
            const Outcome outcome = stage_.run(member->name() + "." + flag, launch, S(10));
            return outcome.ok() ? outcome.said : std::string();
        };
        member->contract = ask("contract");
        member->at_first = member->failpoints = lines(ask("failpoints"));
        if (!member->earlier.empty()) {
            launch.program = member->earlier;
            member->at_first = lines(ask("failpoints"));
        }
        any = any || !member->failpoints.empty();
    }
    if (!any) skip("failpoints", "the services are built without them (-Dfailpoints=true)");
}

void Torment::open() {
    const std::array ways{"kill", "pause"};
    std::map<std::string, std::string> armed;
    std::vector<std::pair<Member*, Point>> first;
    if (wanted("failpoints"))
        for (Member* member : stage_.services()) {
            if (first.size() == ways.size()) break;
            if (!has(member->at_first, kFresh)) continue;
            first.emplace_back(member, Point{kFresh, ways.at(first.size())});
            armed[member->name()] =
                fmt::format("SAGA_FAILPOINT={}:1:{}", kFresh, first.back().second.way);
        }
    stage_.open(armed);
    for (const auto& [member, point] : first) {
        const bool hit = seen(*member, point, kFirstStart);
        if (!hit) tally_.missed.insert(fmt::format("{}:{}", point.name, point.way));
        disarm(*member, hit);
    }
    for (Member& member : stage_.members())
        if (!stage_.await_ready(member, S(60)))
            throw Stop(kError, fmt::format("{} does not become ready: look at {}", member.name(),
                                           (stage_.logs() / (member.name() + ".log")).string()));
}

/// The services that have this place, and may come there.
std::vector<Member*> Torment::having(const std::string& point) {
    auto services = stage_.services();
    std::erase_if(services, [&](const Member* member) {
        return !has(member->failpoints, point) ||
               std::any_of(kNeeds.begin(), kNeeds.end(), [&](const auto& need) {
                   return need.first == point &&
                          member->contract.find(need.second) == std::string::npos;
               });
    });
    return services;
}

std::vector<Torment::Point> Torment::points() {
    std::set<std::string> names;
    for (const Member* member : stage_.services())
        names.insert(member->failpoints.begin(), member->failpoints.end());
    std::vector<Point> found;
    for (const std::string& name : names) {
        if (name == kFresh) continue;
        found.push_back({name, "kill"});
        found.push_back({name, "pause"});
        if (name == kFails) found.push_back({name, "eio"});
    }
    return found;
}

void Torment::failpoint(const Point& point) {
    auto services = having(point.name);
    std::shuffle(services.begin(), services.end(), chance_);
    for (const Duration limit : kReached)
        for (Member* member : services)
            if (reached(*member, point, limit)) return;
    say_(fmt::format("failpoint {} is not reached", point.name));
    tally_.missed.insert(fmt::format("{}:{}", point.name, point.way));
}

/// Starts the service anew with the place armed, and waits until it is reached.
bool Torment::reached(Member& member, const Point& point, Duration limit) {
    const bool once = std::find(kRare.begin(), kRare.end(), point.name) != kRare.end();
    const Supervisor& supervisor = stage_.supervisor();
    const std::size_t deaths = supervisor.deaths(member.number);
    const auto arm = [&] {
        member.said.clear();
        member.may_abort = point.way == "eio";
        stage_.env(member, "SAGA_FAILPOINT",
                   fmt::format("{}:{}:{}", point.name, once ? 1 : draw(1, kLast), point.way));
    };
    if (point.name == kOlder) {
        if (!turn_back(member, S(1), arm)) return false;
    } else {
        arm();
        stage_.supervisor().strike(member.number);
        ++tally_.kills;
        provoke(member, point.name);
    }
    const bool hit = seen(member, point, limit);
    if (hit && point.way != "pause")  // it has said that it dies, not that it is dead
        stage_.until(S(5), [&] {
            return supervisor.deaths(member.number) > deaths || supervisor.gone(member.number);
        });
    disarm(member, hit);
    if (is_leaving(point.name)) {
        stage_.stop(member);
        stage_.start(member);
    }
    if (point.name == kOlder) stage_.await_ready(member, S(30));
    member.may_abort = false;
    return hit;
}

/// Where nothing was reached in time, this process may still come there, and stand still for good.
void Torment::disarm(Member& member, bool hit) {
    stage_.env(member, "SAGA_FAILPOINT", "");
    if (hit) return;
    stage_.supervisor().strike(member.number);
    ++tally_.kills;
}

/// Brings about what does not come by itself.
void Torment::provoke(Member& member, const std::string& point) {
    if (is_leaving(point)) {
        if (stage_.await_ready(member, S(10))) stage_.supervisor().stop(member.number);
    } else if (point == "letter") {
        stage_.await_ready(member, S(10));
        for (int i = 0; i < 8 && member.said.find("failpoint ") == std::string::npos; ++i) {
            attack_.junk();
            stage_.pass(100ms);
        }
    } else if (point == "rewinding") {
        if (!stage_.await_ready(member, S(10))) return;
        stage_.with_broker_down([](const files::path& store) { files::remove_all(store); });
        ++tally_.kills;
    } else if (point == "timer") {
        if (!stage_.await_ready(member, S(10))) return;
        const auto late = answering(member);
        for (const Member* each : late) stage_.supervisor().signal(each->number, SIGSTOP);
        stage_.until(S(1), [&] { return member.said.find("failpoint ") != std::string::npos; });
        for (const Member* each : late) stage_.supervisor().signal(each->number, SIGCONT);
    }
}

/// Who publishes what the deadlines of this one wait for.
std::vector<Member*> Torment::answering(const Member& member) {
    std::set<std::string> awaited;
    const auto contract = nlohmann::json::parse(member.contract, nullptr, false);
    for (const auto& step : list(contract, "steps"))
        for (const auto& deadline : list(step, "expects"))
            for (const auto& event : list(deadline, "answers"))
                awaited.insert(fmt::format(R"({{"event":{},)", event.dump()));
    auto services = stage_.services();
    std::erase_if(services, [&](const Member* each) {
        return each == &member || std::none_of(awaited.begin(), awaited.end(), [&](const auto& it) {
                   return each->contract.find(it) != std::string::npos;
               });
    });
    return services;
}

bool Torment::seen(Member& member, const Point& point, Duration limit) {
    const std::string word = fmt::format("failpoint {} {}", point.name, point.way);
    if (!stage_.until(limit, [&] { return member.said.find(word) != std::string::npos; }))
        return false;
    tally_.failpoints[point.name].insert(point.way);
    ++tally_.faults["failpoints"];
    if (point.way == "kill") ++tally_.kills;
    if (point.way == "pause") {
        stage_.pass(draw(100ms, 3'000ms));
        stage_.supervisor().signal(member.number, SIGCONT);
    }
    say_(fmt::format("failpoint {} {} of {}", point.name, point.way, member.name()));
    return true;
}

}  // namespace saga::cli
