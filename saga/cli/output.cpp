#include "saga/cli/output.hpp"

#include <fmt/format.h>

#include <cstdio>

namespace saga::cli {

void out(std::string_view text) {
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size()) throw NobodyReads{};
}

void out_now(std::string_view text) {
    out(text);
    if (std::fflush(stdout) != 0) throw NobodyReads{};
}

void note(std::string_view line) {
    std::fflush(stdout);  // so that both stand in their order where they meet
    fmt::print(stderr, "{}\n", line);
}

}  // namespace saga::cli
