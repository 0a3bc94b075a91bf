#include "saga/cli/dlq_action.hpp"

#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <thread>

#include "saga/cli/words.hpp"

namespace saga::cli {
namespace {

constexpr auto kLook = std::chrono::milliseconds(20);

bool same(const Letter& a, const Letter& b) {
    return a.id == b.id && a.what == b.what && a.step == b.step && a.saga == b.saga &&
           a.event_id == b.event_id;
}

/// The same work, under a number of its own: a retried event parks anew, junk stands aside anew.
bool again(const Letter& before, const Letter& now) {
    const bool work = !before.event_id.empty() && now.event_id == before.event_id &&
                      now.state != "behind" && now.state != "dropped";
    const bool junk = before.event_id.empty() && before.aside() && now.aside() &&
                      now.subject == before.subject && now.reason == before.reason;
    return now.saga == before.saga && (work || junk);
}

bool open_again(const Letter& before, const Letter& now) {
    return now.open_call() && now.saga == before.saga && now.step == before.step;
}

/// A call that is asked once more: what came of the first attempt.
std::optional<ActionResult> asked_again(const Letter& before, const std::vector<Letter>& now) {
    const auto open = std::find_if(now.begin(), now.end(),
                                   [&](const Letter& each) { return open_again(before, each); });
    if (open == now.end())
        return ActionResult{kOk, fmt::format("{} was asked again and is answered", before.name()),
                            before.saga};
    if (open->attempts == 0) return std::nullopt;
    return ActionResult{kError,
                        fmt::format("{} was asked again, without an answer: {}; it is asked again "
                                    "by itself",
                                    before.name(), open->reason),
                        before.saga};
}

ActionResult failed_again(const Letter& now, const std::string& saga) {
    if (now.aside())
        return {kError, fmt::format("it stands aside again as {}: {}", now.name(), now.reason),
                saga};
    if (now.dead())
        return {kError, fmt::format("it failed again, {} is dead: {}", now.name(), now.reason),
                saga};
    return {
        kError,
        fmt::format("it failed again, {} after {}: {}; it is tried again by itself", now.name(),
                    count_text(static_cast<std::uint64_t>(now.attempts), "attempt"), now.reason),
        saga};
}

}  // namespace

void confirm(const Options& options, const std::string& question) {
    if (options.force || ::isatty(STDIN_FILENO) == 0) return;
    fmt::print(stderr, "{} [y/N] ", question);
    std::string answer;
    std::getline(std::cin, answer);
    if (answer != "y" && answer != "yes") throw Stop(kError, "nothing was done");
}

LetterId parse_letter_id(const std::string& text) {
    const auto slash = text.find('/');
    const std::string service = text.substr(0, slash);
    const std::string id = slash == std::string::npos ? "" : text.substr(slash + 1);
    std::string_view digits = id;
    if (digits.starts_with("aside-")) digits.remove_prefix(6);
    const bool number =
        !digits.empty() && digits.size() < 19 &&
        std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (!is_service(service) || !number)
        throw Stop(kUsage, fmt::format("\"{}\" is no dead letter's id: one is service/number, such "
                                       "as payment/17, as `saga dlq ls` shows it",
                                       harmless(text)));
    return {service, id};
}

std::optional<ActionResult> outcome(const Letter& before, const std::string& verb,
                                    const std::vector<Letter>& now) {
    const auto stands = std::find_if(now.begin(), now.end(),
                                     [&](const Letter& each) { return same(before, each); });
    if (verb != "retry") {
        if (stands != now.end() && stands->state != "dropped") return std::nullopt;
        const char* done = verb == "skip" ? "is skipped: what waits behind it goes on"
                                          : "is dropped, with what waited behind it";
        return ActionResult{kOk, fmt::format("{} {}", before.name(), done), before.saga};
    }
    if (stands != now.end()) {
        if (stands->dead() && stands->attempts >= before.attempts) return std::nullopt;
        if (stands->state == "behind")
            return ActionResult{kOk,
                                fmt::format("{} is tried when its turn comes: an earlier event "
                                            "of its saga waits",
                                            before.name()),
                                before.saga};
        if (stands->attempts == 0) return std::nullopt;  // the attempt is being made
        return failed_again(*stands, before.saga);
    }
    if (before.what == "call") return asked_again(before, now);
    const auto anew = std::find_if(now.begin(), now.end(),
                                   [&](const Letter& each) { return again(before, each); });
    if (anew != now.end()) return failed_again(*anew, before.saga);
    return ActionResult{kOk, before.name() + " was tried again and is done", before.saga};
}

ActionResult act(const Participants& participants, const LetterId& id, const std::string& verb,
                 const std::string& reason, std::chrono::milliseconds patience) {
    const auto silent = [&] {
        return Stop(kUnreachable, fmt::format("{} does not answer: is it running?", id.service));
    };
    const auto found = participants.ask(id.service, "letter", {{"id", id.id}});
    if (!found || !found->is_object()) throw silent();
    const Letter before = letter_of(id.service, *found);
    if (!before.dead())
        throw Stop(kError, fmt::format("{} is not dead ({}): it is tried again by itself",
                                       before.name(), before.state));
    const auto accepted = participants.ask(id.service, verb, {{"id", id.id}, {"reason", reason}});
    if (!accepted) throw silent();
    const auto until = std::chrono::steady_clock::now() + patience;
    bool asking = false;
    while (true) {
        const auto now = participants.letters(id.service, true, before.saga);
        if (now) {
            if (const auto result = outcome(before, verb, *now)) return *result;
            asking = std::ranges::any_of(
                *now, [&](const Letter& each) { return open_again(before, each); });
        }
        if (std::chrono::steady_clock::now() >= until) break;
        std::this_thread::sleep_for(kLook);
    }
    if (asking)
        return {kOk,
                fmt::format("{} is asked again, and has no answer yet after {}", before.name(),
                            brief(patience)),
                before.saga};
    return {kUnreachable,
            fmt::format("{} accepted it, and has not done it within {}: it obeys once it reads its "
                        "own word back from the stream, see `saga doctor`",
                        id.service, brief(patience)),
            before.saga};
}

}  // namespace saga::cli
