#include "saga/cli/command_line.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdint>

#include "saga/cli/words.hpp"

namespace saga::cli {

Flag& Flag::type(std::string_view name) {
    option_->type_name(std::string(name));
    return *this;
}

Flag& Flag::required() {
    option_->required();
    return *this;
}

Flag& Flag::variable(std::string_view name) {
    option_->envname(std::string(name));
    return *this;
}

Flag& Flag::one_of(const std::vector<std::string>& words) {
    option_->check(CLI::IsMember(words));
    return *this;
}

Flag& Flag::between(int least, int most) {
    option_->check(CLI::Range(least, most));
    return *this;
}

Flag& Flag::between(double least, double most) {
    option_->check(CLI::Range(least, most));
    return *this;
}

Flag& Flag::one_at_a_time() {
    option_->allow_extra_args(false);
    return *this;
}

Command Command::command(std::string_view name, std::string_view help) {
    return Command(*app_->add_subcommand(std::string(name), std::string(help)));
}

void Command::requires_command() {
    app_->require_subcommand(1);
}

void Command::alias(std::string_view name) {
    app_->alias(std::string(name));
}

void Command::group(std::string_view heading) {
    app_->group(std::string(heading));
}

void Command::footer(std::string_view text) {
    app_->footer(std::string(text));
}

template <class Value>
Flag Command::option(std::string_view names, Value& value, std::string_view help) {
    return Flag(*app_->add_option(std::string(names), value, std::string(help)));
}
template Flag Command::option(std::string_view, double&, std::string_view);
template Flag Command::option(std::string_view, int&, std::string_view);
template Flag Command::option(std::string_view, std::int64_t&, std::string_view);
template Flag Command::option(std::string_view, std::uint64_t&, std::string_view);
template Flag Command::option(std::string_view, std::string&, std::string_view);
template Flag Command::option(std::string_view, std::vector<std::string>&, std::string_view);

Flag Command::option(std::string_view names, std::chrono::milliseconds& value,
                     std::string_view help) {
    const std::string name(names);
    const auto take = [&value, name](const std::string& text) {
        const auto duration = parse_duration(text);
        if (!duration)
            throw CLI::ValidationError(
                name, fmt::format("{} is no duration: give one such as 500ms, 30s or 1h30m", text));
        value = *duration;
    };
    return Flag(*app_->add_option_function<std::string>(name, take, std::string(help)))
        .type("TIME");
}

template <class Value>
Flag Command::argument(std::string_view name, Value& value, std::string_view help) {
    return option(name, value, help).type("");
}
template Flag Command::argument(std::string_view, std::string&, std::string_view);
template Flag Command::argument(std::string_view, std::vector<std::string>&, std::string_view);

void Command::flag(std::string_view names, bool& value, std::string_view help) {
    app_->add_flag(std::string(names), value, std::string(help));
}

void Command::runs(std::function<void()> work) {
    app_->callback(std::move(work));
}

}  // namespace saga::cli
