// Data goes to stdout, words for people to stderr.
#pragma once

#include <string_view>

namespace saga::cli {

/// Whoever read our output has gone: `saga ls | head`. The program ends without a word.
struct NobodyReads {};

/// To stdout. Throws NobodyReads.
void out(std::string_view text);
/// As out, and at once: a line that somebody waits for.
void out_now(std::string_view text);
/// A line to stderr.
void note(std::string_view line);

}  // namespace saga::cli
