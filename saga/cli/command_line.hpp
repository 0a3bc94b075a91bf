// What may be said on the command line, while the tool is put together. CLI11 is behind it: its
// header takes seconds to compile, and few files need it.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace saga::cli {

/// A handle on a flag or an argument of a command, which owns it.
class Flag {
  public:
    explicit Flag(CLI::Option& option) : option_(&option) {}

    /// What its value is, as the help says it: "FILE".
    Flag& type(std::string_view name);
    Flag& required();
    /// Where it is not given, this variable of the environment counts.
    Flag& variable(std::string_view name);
    Flag& one_of(const std::vector<std::string>& words);
    Flag& between(int least, int most);
    Flag& between(double least, double most);
    /// Of a list: one value each time that it is given; what follows is not of it.
    Flag& one_at_a_time();

  private:
    CLI::Option* option_;
};

/// A handle on a command, or on the whole tool, which owns its commands. Values are written, and
/// what a command runs is called, when the command line is parsed: they must live until then.
class Command {
  public:
    explicit Command(CLI::App& app) : app_(&app) {}

    /// One below it.
    Command command(std::string_view name, std::string_view help);
    /// One of them must be named.
    void requires_command();

    void alias(std::string_view name);
    void group(std::string_view heading);  ///< where the help lists it
    void footer(std::string_view text);    ///< of its own help, examples first

    /// A value with a name, "-s,--server". Value: a string, a list of them, or a number of those
    /// types that command_line.cpp names.
    template <class Value>
    Flag option(std::string_view names, Value& value, std::string_view help);
    /// "500ms", "1h30m": what parse_duration() takes.
    Flag option(std::string_view names, std::chrono::milliseconds& value, std::string_view help);
    /// A value by its place. Value: a string, or a list of them.
    template <class Value>
    Flag argument(std::string_view name, Value& value, std::string_view help);
    void flag(std::string_view names, bool& value, std::string_view help);

    /// Its work. What it throws ends the tool.
    void runs(std::function<void()> work);

    const CLI::App& app() const { return *app_; }

  private:
    CLI::App* app_;
};

}  // namespace saga::cli
