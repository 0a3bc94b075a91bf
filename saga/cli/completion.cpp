// saga completion: what a shell needs to complete the tool's words.
#include <CLI/CLI.hpp>

#include "saga/cli/command.hpp"
#include "saga/cli/command_line.hpp"
#include "saga/cli/output.hpp"

namespace saga::cli {
namespace {

/// Commands, or the commands below one, as a shell's word list.
std::string commands_of(const CLI::App& app) {
    std::string words;
    for (const CLI::App* each : app.get_subcommands([](const CLI::App*) { return true; }))
        words += (words.empty() ? "" : " ") + each->get_name();
    return words;
}

std::string flags_of(const CLI::App& app) {
    std::string words;
    for (const CLI::Option* each : app.get_options([](const CLI::Option*) { return true; }))
        for (const std::string& name : each->get_lnames())
            words += (words.empty() ? "--" : " --") + name;
    return words;
}

template <class Each>
void for_commands(const CLI::App& app, Each each) {
    for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
        each(*command);
}

std::string bash(const CLI::App& app) {
    std::string cases;
    for_commands(app, [&](const CLI::App& each) {
        const std::string below = commands_of(each);
        cases += fmt::format("        {}) words=\"{}{}{}\" ;;\n", each.get_name(), below,
                             below.empty() ? "" : " ", flags_of(each));
    });
    return fmt::format(
        "_saga() {{\n"
        "    local words current=${{COMP_WORDS[COMP_CWORD]}}\n"
        "    case ${{COMP_WORDS[1]}} in\n"
        "{}"
        "        *) words=\"{} {}\" ;;\n"
        "    esac\n"
        "    [[ $COMP_CWORD -eq 1 ]] && words=\"{} {}\"\n"
        "    [[ $current == -* ]] && words+=\" {}\"\n"
        "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n"
        "}}\n"
        "complete -o default -F _saga saga\n",
        cases, commands_of(app), flags_of(app), commands_of(app), flags_of(app), flags_of(app));
}

/// One word of fish, whatever is in it.
std::string fish_word(std::string_view text) {
    std::string word = "'";
    for (const char c : text) {
        if (c == '\'' || c == '\\') word += '\\';
        word += c;
    }
    return word + "'";
}

std::string fish(const CLI::App& app) {
    std::string text = "complete -c saga -f\n";
    for_commands(app, [&](const CLI::App& each) {
        text += fmt::format("complete -c saga -n __fish_use_subcommand -a {} -d {}\n",
                            each.get_name(), fish_word(each.get_description()));
        const auto inside = fmt::format("-n '__fish_seen_subcommand_from {}'", each.get_name());
        for_commands(each, [&](const CLI::App& below) {
            text += fmt::format("complete -c saga {} -a {} -d {}\n", inside, below.get_name(),
                                fish_word(below.get_description()));
        });
        for (const CLI::Option* option : each.get_options([](const CLI::Option*) { return true; }))
            for (const std::string& name : option->get_lnames())
                text += fmt::format("complete -c saga {} -l {}\n", inside, name);
    });
    for (const CLI::Option* option : app.get_options([](const CLI::Option*) { return true; }))
        for (const std::string& name : option->get_lnames())
            text += fmt::format("complete -c saga -l {}\n", name);
    return text;
}

void completion(const CLI::App& app, const std::string& shell) {
    if (shell == "fish") return out(fish(app));
    if (shell == "zsh") out("autoload -U +X bashcompinit && bashcompinit\n");
    out(bash(app));
}

}  // namespace

void add_completion(Command& tool, Options&) {
    auto shell = std::make_shared<std::string>();
    Command command = tool.command("completion", "Words for a shell to complete");
    command.group("Operate");
    command.footer(
        "Examples:\n"
        "  saga completion bash > /etc/bash_completion.d/saga\n"
        "  source <(saga completion zsh)\n"
        "  saga completion fish > ~/.config/fish/completions/saga.fish");
    command.argument("shell", *shell, "bash, zsh or fish")
        .required()
        .one_of({"bash", "zsh", "fish"});
    command.runs([tool, shell] { completion(tool.app(), *shell); });
}

}  // namespace saga::cli
