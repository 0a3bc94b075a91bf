// The file of `saga dev` and `saga chaos`: which programs make up a landscape, in the order of
// their start, and how it is put to the test.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "saga/cli/command.hpp"

namespace saga::cli {

using Settings = std::vector<std::pair<std::string, std::string>>;  ///< of the environment

/// One section. Its name is the service's.
struct Program {
    std::string name;
    std::string command;  ///< a program's name, or a path from the file's folder
    std::vector<std::string> args;
    Settings env;
    bool service = true;  ///< false: it answers no request of operators, such as a bank
};

/// The section [chaos], which `saga dev` passes over. Commands are a program and its arguments.
struct Trial {
    std::vector<std::string> load;   ///< sends requests, and says a line about each
    std::vector<std::string> check;  ///< ends with 0 when the books of the landscape fit
    Settings env;                    ///< of every program, while it is tried
};

struct Config {
    std::vector<Program> programs;
    Trial trial;
};

/// The text of such a file:
///
///     [order]
///     command = order
///     args = --batch 64          # words; "quotes" keep spaces
///     env = SAGA_LOG_LEVEL=debug
///     service = true
///
///     [chaos]
///     load = shop load --rate 50
///     check = shop audit
///     env = SAGA_BANK_LATENCY_MS=5
///
/// Throws Stop, which names `file` and the line, at whatever it does not know.
Config parse_config(std::string_view text, const std::string& file);
Config read_config(const std::filesystem::path& file);

/// Where a program is: beside `own`, this very program, then on PATH; or, of a path, from `folder`.
/// Throws Stop when it is nowhere.
std::filesystem::path find_program(const std::string& command, const std::filesystem::path& own,
                                   const std::filesystem::path& folder);
/// On PATH, and what Debian keeps out of it. Empty when it is not there.
std::filesystem::path on_path(const std::string& name);
/// Of this very program.
std::filesystem::path own_path();

}  // namespace saga::cli
