// The file of `saga dev`: which programs make up a landscape, in the order of their start.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "saga/cli/command.hpp"

namespace saga::cli {

/// One section. Its name is the service's.
struct Program {
    std::string name;
    std::string command;  ///< a program's name, or a path from the file's folder
    std::vector<std::string> args;
    std::vector<std::pair<std::string, std::string>> env;
    bool service = true;  ///< false: it answers no request of operators, such as a bank
};

/// The text of such a file:
///
///     [order]
///     command = order
///     args = --batch 64          # words; "quotes" keep spaces
///     env = SAGA_LOG_LEVEL=debug
///     service = true
///
/// Throws Stop, which names `file` and the line, at whatever it does not know.
std::vector<Program> parse_config(std::string_view text, const std::string& file);
std::vector<Program> read_config(const std::filesystem::path& file);

/// Where a program is: beside `own`, this very program, then on PATH; or, of a path, from `folder`.
/// Throws Stop when it is nowhere.
std::filesystem::path find_program(const std::string& command, const std::filesystem::path& own,
                                   const std::filesystem::path& folder);
/// On PATH, and what Debian keeps out of it. Empty when it is not there.
std::filesystem::path on_path(const std::string& name);
/// Of this very program.
std::filesystem::path own_path();

}  // namespace saga::cli
