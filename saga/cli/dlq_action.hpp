// An operator's word to a service, and what came of it.
#pragma once

#include <string>

#include "saga/cli/participants.hpp"

namespace saga::cli {

struct LetterId {
    std::string service, id;  ///< "payment/17", "payment/aside-3"
};
/// Throws Stop(kUsage).
LetterId parse_letter_id(const std::string& text);

/// Asks on a terminal, unless --force was said; elsewhere the reason that was given is consent
/// enough. Throws Stop when the answer is no.
void confirm(const Options& options, const std::string& question);

struct ActionResult {
    Exit code = kOk;
    std::string text;  ///< one sentence
    std::string saga;  ///< to look at next; empty: of none
};

/// What became of an entry, from what waits there now (of its saga, if it has one: then its open
/// calls are among that); nothing while it is still to come. `verb` is retry, skip or drop. Pure.
std::optional<ActionResult> outcome(const Letter& before, const std::string& verb,
                                    const std::vector<Letter>& now);

/// Sends it, and waits until it took effect: the service reads its own word back from the stream
/// and then obeys. Throws Stop when there is no such entry, or no service.
ActionResult act(const Participants& participants, const LetterId& id, const std::string& verb,
                 const std::string& reason, std::chrono::milliseconds patience);

}  // namespace saga::cli
