// Trials of the participant as a whole: each looks whether it still answers afterwards.
#include <fmt/format.h>
#include <sodium.h>

#include <algorithm>
#include <cstdlib>
#include <saga/detail/event_type.hpp>

#include "saga/cli/conformance/trials.hpp"
#include "saga/cli/words.hpp"
#include "saga/core/limits.hpp"

namespace saga::cli {
namespace {

using Bin = std::vector<std::byte>;

constexpr std::size_t kNoise = 300;             // bytes
constexpr std::size_t kOversize = 300 * 1'024;  // more than an event may have; the stream takes it
constexpr std::size_t kRestartSagas = 20;

Bin noise(std::size_t size) {
    Bin bytes(size);
    randombytes_buf(bytes.data(), bytes.size());
    return bytes;
}

std::string last_token_changed(const std::string& subject) {
    const auto dot = subject.rfind('.');
    const std::string other = subject.substr(dot + 1) == "p00" ? "p01" : "p00";
    return subject.substr(0, dot + 1) + other;
}

}  // namespace

Trials::Outcome Trials::unknown(const Step& step) {
    const std::string saga = stand_.new_saga();
    const std::string& on = step.on.front();
    const std::string space = on.substr(0, on.rfind('.') + 1);
    if (!space.empty())
        stand_.send(stand_.forge(space + "ConformanceNews", Kind::done, saga, Bin(8)));
    stand_.send(stand_.forge("test.conformance.ConformanceNews", Kind::ended, saga, Bin(8)));
    if (Outcome late = catch_up("events of types that it does not know");
        late.verdict != Verdict::pass)
        return late;
    if (!stand_.said(saga).empty())
        return {Verdict::fail, "it says something of an event whose type it does not know"};
    return {Verdict::pass, "passed over"};
}

Trials::Outcome Trials::junk(const Step& step) {
    const std::uint64_t before = stand_.letters();
    const std::string saga = stand_.new_saga();
    const bool failure = step.on_any_failure();
    const auto made = [&](const Bin& payload) {
        return failure ? stand_.failure(saga)
                       : stand_.forge(step.on.front(), Kind::done, saga, payload);
    };
    const Forged sound = failure ? made({}) : stand_.forge(step.on.front(), Kind::done, saga);
    Bin half(sound.bytes.begin(), sound.bytes.begin() + std::ptrdiff_t(sound.bytes.size() / 2));
    Bin nameless = sound.bytes;
    nameless[4] = std::byte{'X'};
    const Forged stranger = stand_.failure(saga);
    std::vector<std::pair<std::string, Bin>> all{{sound.subject, noise(kNoise)},
                                                 {sound.subject, {}},
                                                 {sound.subject, half},
                                                 {sound.subject, nameless},
                                                 {sound.subject, noise(kOversize)},
                                                 {last_token_changed(sound.subject), sound.bytes},
                                                 {stranger.subject, noise(kNoise)}};
    if (!failure) {
        all.emplace_back(sound.subject, stranger.bytes);  // an event under another's subject
        all.emplace_back(sound.subject, made(noise(64)).bytes);
    }
    for (const auto& [subject, bytes] : all) stand_.send(subject, bytes);
    if (Outcome late = catch_up("junk"); late.verdict != Verdict::pass) return late;
    if (!outcomes(step, saga).empty() || !undos(step, saga).empty())
        return {Verdict::fail, "it has taken junk, or a spoofed message, for an event"};
    stand_.wait([&] { return stand_.letters() >= before + all.size(); });
    return {Verdict::pass,
            fmt::format("{}, {} of them to the dead letters", count_text(all.size(), "message"),
                        stand_.letters() - before)};
}

Trials::Outcome Trials::restarted(const Step& step) {
    if (restart_.empty())
        return {Verdict::skip,
                "give --restart COMMAND, which kills the service and starts it again"};
    std::vector<Given> all;
    for (std::size_t i = 0; i < kRestartSagas; ++i) all.push_back(give(step));
    // Of a shell, as the operator wrote it; what it says is no data of ours.
    if (const int code = std::system(fmt::format("( {} ) >&2", restart_).c_str()); code != 0)
        return {Verdict::fail, fmt::format("the command to restart it ended with {}", code)};
    for (const Given& given : all)
        if (!speaks(step, given.saga))
            return {Verdict::fail, fmt::format("saga {} was lost in the restart", given.saga)};
    for (const Given& given : all)
        for (const Forged& each : given.triggers) stand_.send(each);
    if (Outcome late = catch_up("a restart"); late.verdict != Verdict::pass) return late;
    for (const Given& given : all)
        if (const std::size_t times = outcomes(step, given.saga).size(); times != 1)
            return {Verdict::fail, fmt::format("a saga before the restart has {} outcomes", times)};
    return {Verdict::pass, fmt::format("{} in the middle of it, one outcome each",
                                       count_text(all.size(), "saga"))};
}

}  // namespace saga::cli
