#include "saga/cli/help.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <numeric>

namespace saga::cli {
namespace {

constexpr std::size_t kColumn = 30;  // where the explanations begin

class ExamplesFirst final : public CLI::Formatter {
  public:
    ExamplesFirst() { column_width(kColumn); }

    std::string make_help(const CLI::App* app, std::string name,
                          CLI::AppFormatMode mode) const override {
        std::string text = app->get_description() + "\n";
        if (!app->get_footer().empty()) text += "\n" + app->get_footer() + "\n";
        text += "\n" + make_usage(app, std::move(name));
        text += make_positionals(app) + make_groups(app, mode) + make_subcommands(app, mode);
        if (app->get_parent() != nullptr)
            text += "\nFlags of every command, such as --server and --json: saga --help\n";
        return text;
    }
    /// Only what the value is; whether and from where it comes otherwise stands in the words.
    std::string make_option_opts(const CLI::Option* option) const override {
        return option->get_type_size() == 0 ? "" : " " + option->get_type_name();
    }
    std::string make_option_desc(const CLI::Option* option) const override {
        const std::string variable = option->get_envname();
        return option->get_description() + (variable.empty() ? "" : " [" + variable + "]");
    }
};

/// How many letters must be changed to make one word of the other (Levenshtein).
std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 0; i < a.size(); ++i) {
        std::size_t before = std::exchange(row[0], i + 1);
        for (std::size_t j = 0; j < b.size(); ++j) {
            const std::size_t changed = before + (a[i] == b[j] ? 0 : 1);
            before = row[j + 1];
            row[j + 1] = std::min({changed, row[j] + 1, row[j + 1] + 1});
        }
    }
    return row.back();
}

}  // namespace

void set_help_style(CLI::App& app) {
    app.formatter(std::make_shared<ExamplesFirst>());
    app.get_formatter()->label("OPTIONS", "flags");
    app.get_formatter()->label("SUBCOMMAND", "COMMAND");
    app.get_formatter()->label("Positionals", "Arguments");
}

std::string similar_command(const CLI::App& app, const std::string& word) {
    std::string best;
    std::size_t least = 3;  // letters; beyond them it is another word
    for (const CLI::App* each : app.get_subcommands([](const CLI::App*) { return true; })) {
        const std::size_t far = distance(word, each->get_name());
        if (far >= least) continue;
        least = far;
        best = each->get_name();
    }
    return best;
}

}  // namespace saga::cli
