// What becomes of a service's folder: no room in it, a copy of it, an older state of it.
#include <sys/mount.h>

#include <cerrno>
#include <cstring>

#include "saga/cli/chaos/torment.hpp"
#include "saga/cli/words.hpp"
#include "saga/core/shard.hpp"

namespace saga::cli {
namespace {

namespace files = std::filesystem;
using namespace std::chrono_literals;

constexpr auto kCopy = files::copy_options::recursive | files::copy_options::overwrite_existing;
constexpr std::uintmax_t kRoom = 80 << 20;  // bytes beside what is in use: a whole write-ahead log

std::uintmax_t bytes_in(const files::path& folder) {
    std::uintmax_t bytes = 0;
    for (const auto& each : files::recursive_directory_iterator(folder))
        if (each.is_regular_file()) bytes += each.file_size();
    return bytes;
}

/// Takes all the room that is left.
void fill(const files::path& file) {
    std::ofstream out(file, std::ios::binary | std::ios::app);
    const std::string block(4096, '\1');
    while (out.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
    }
}

}  // namespace

/// The service's folder lies on a small disk for a while, which is full for a while.
void Torment::disk_full() {
    Member& member = any_service();
    say_(fmt::format("disk-full under {}", member.name()));
    const files::path aside = member.data.string() + ".disk", ballast = member.data / "ballast";
    stage_.stop(member);
    files::rename(member.data, aside);
    files::create_directories(member.data);
    const std::string size = fmt::format("size={}", 2 * bytes_in(aside) + kRoom);
    if (::mount("tmpfs", member.data.c_str(), "tmpfs", 0, size.c_str()) != 0) {
        wrong(fmt::format("cannot mount a small disk: {}", std::strerror(errno)));
        files::remove(member.data);
        files::rename(aside, member.data);
        return stage_.start(member);
    }
    files::copy(aside, member.data, kCopy);
    stage_.start(member);
    stage_.await_ready(member, S(15));
    member.said.clear();
    const bool full = stage_.until(S(8), [&] {
        fill(ballast);  // also what the service gives up meanwhile
        const auto state = stage_.state(member);
        return state && state->trouble.find("full") != std::string::npos;
    });
    if (full) struck("disk-full");
    linger(draw(500ms, 2'000ms));
    files::remove(ballast);
    if (!stage_.await_ready(member, S(30)))
        wrong(member.name() + " does not go on once its disk has room again");
    stage_.stop(member);
    files::remove_all(aside);
    files::copy(member.data, aside, kCopy);
    ::umount2(member.data.c_str(), MNT_DETACH);
    files::remove(member.data);
    files::rename(aside, member.data);
    stage_.start(member);
}

void Torment::expect_refusal(const std::string& who, Member& member, const files::path& data,
                             std::string_view why) {
    Placed program = member.program;
    Launch launch = program_launch(program, stage_.url(), data);
    const Outcome outcome = stage_.run(member.name() + "." + who, std::move(launch), S(15));
    struck(who);
    if (!outcome.status) return wrong(fmt::format("a {} of {} runs beside it", who, member.name()));
    if (outcome.ok() || outcome.said.find(why) == std::string::npos)
        wrong(fmt::format("a {} of {} ended with {} and did not say \"{}\": {}", who, member.name(),
                          ending(*outcome.status), why, harmless(outcome.said)));
}

void Torment::duplicate() {
    Member& member = any_service();
    if (!calm()) return;
    say_(fmt::format("duplicate of {}", member.name()));
    expect_refusal("duplicate", member, member.data, "in use by another process");
}

void Torment::copy() {
    Member& member = any_service();
    if (!calm()) return;
    say_(fmt::format("copy of the database of {}", member.name()));
    const files::path copied = member.data.string() + ".copy";
    files::remove_all(copied);
    stage_.stop(member);
    files::copy(member.data, copied, kCopy);
    stage_.start(member);
    if (!stage_.await_ready(member, S(15))) return;
    expect_refusal("copy", member, copied, "runs already");
    files::remove_all(copied);
}

/// What it published since is in the stream, so nothing may happen to the broker's store meanwhile.
bool Torment::turn_back(Member& member, Duration time, const std::function<void()>& before_start) {
    if (!calm()) return false;
    const files::path backup = member.data.string() + ".backup";
    files::remove_all(backup);
    const bool clean = stage_.stop(member);
    files::copy(member.data, backup, kCopy);
    stage_.start(member);
    if (!clean) return false;
    linger(time);
    if (!calm()) return false;
    const bool sent = stage_.stop(member);  // or else what it accepted last would be lost
    if (sent) {
        files::remove_all(member.data);
        files::rename(backup, member.data);
        before_start();
        tally_.restored.insert(core::parse_instance(member.name()).service);
    }
    stage_.start(member);
    return sent;
}

void Torment::restore() {
    Member& member = any_service();
    const Duration time = draw(1'000ms, 5'000ms);
    say_(fmt::format("restore of {} as it was {} ago", member.name(), brief(time)));
    if (!turn_back(member, time, [] {})) return;
    if (!stage_.await_ready(member, S(30)))
        return wrong(member.name() + " does not catch up from a backup");
    struck("restore");
}

}  // namespace saga::cli
