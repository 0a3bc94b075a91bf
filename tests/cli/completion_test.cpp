// saga completion: what it prints is read by a shell.
#include <doctest/doctest.h>

#include <sstream>

#include "tests/cli/program.hpp"

using namespace saga::testing;

namespace {

std::string completion(const char* shell) {
    const Ran ran = run_to_end({.path = saga_program(),
                                .args = {"completion", shell},
                                .env = plain_env("/", "nats://127.0.0.1:1")});
    CHECK(ran.code == 0);
    return ran.out;
}

/// Quotes that begin or end a word, as fish reads them: a backslash takes the next one's meaning.
int quotes(const std::string& line) {
    int found = 0;
    for (std::size_t i = 0; i < line.size(); ++i) {
        if (line[i] == '\\')
            ++i;
        else if (line[i] == '\'')
            ++found;
    }
    return found;
}

}  // namespace

TEST_CASE("completion: fish can read each line, whatever a description says") {
    std::istringstream text(completion("fish"));
    int described = 0;
    for (std::string line; std::getline(text, line);) {
        CAPTURE(line);
        const bool described_here = has(line, " -d '");
        described += described_here ? 1 : 0;
        const bool inside = has(line, "-n '");
        CHECK(quotes(line) == (described_here ? 2 : 0) + (inside ? 2 : 0));
    }
    CHECK(described > 20);
}

TEST_CASE("completion: commands and their flags, for each shell") {
    for (const char* shell : {"bash", "zsh", "fish"}) {
        const std::string text = completion(shell);
        CHECK(has(text, "doctor"));
        CHECK(has(text, "shards"));
    }
}
