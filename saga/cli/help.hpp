// Help texts: examples first, then what can be said.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace saga::cli {

/// For the whole program; its subcommands take it over when they are added afterwards.
void set_help_style(CLI::App& app);

/// What may have been meant by a word that no command has, or nothing.
std::string similar_command(const CLI::App& app, const std::string& word);

}  // namespace saga::cli
