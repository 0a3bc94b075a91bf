// One saga for people and for programs. Pure: the clock is handed in.
#pragma once

#include <string>
#include <vector>

#include "saga/cli/inquiry.hpp"
#include "saga/cli/words.hpp"

namespace saga::cli {

/// How events are drawn: → forward, ✗ a failure, ← taken back, ■ a last word.
Cell drawn(const Fact& fact, std::size_t depth);
Cell kind_cell(const Fact& fact);
Cell course_cell(Course course);
/// How far each event is from its saga's first one, by its causes.
std::vector<std::size_t> depths(const std::vector<Fact>& facts);

struct TimelineStyle {
    bool verbose = false;  ///< with sequences, ids and causes
    bool wide = false;     ///< payloads are not cut off at a terminal's edge
};
void print_timeline(const Inquiry& inquiry, const Paint& paint, const TimelineStyle& style);

/// One line: what became of it so far.
std::string summary(const Inquiry& inquiry, Time now);
/// What it waits for, each in one line; and what stands in its way.
std::vector<std::string> waits(const Inquiry& inquiry, Time now);
/// What to do next, each a command in a sentence; mostly nothing.
std::vector<std::string> advice(const Inquiry& inquiry);

/// All three: the line, what it waits for, and on stderr what to do next.
void print_end(const Inquiry& inquiry, const Paint& paint, Time now);

}  // namespace saga::cli
