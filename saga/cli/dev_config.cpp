#include "saga/cli/dev_config.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <sstream>

#include "saga/cli/landscape.hpp"
#include "saga/cli/words.hpp"

namespace saga::cli {
namespace {

namespace files = std::filesystem;

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view kSpace = " \t\r";
    const auto begin = text.find_first_not_of(kSpace);
    if (begin == std::string_view::npos) return {};
    return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

/// Words between spaces, without what follows a '#'; quotes of either kind keep spaces. Empty when
/// a quote is not closed.
std::optional<std::vector<std::string>> words(std::string_view text) {
    std::vector<std::string> found;
    std::string word;
    bool inside = false;  // of a word, which may be an empty one in quotes
    char quote = '\0';
    for (const char c : text) {
        const bool space = c == ' ' || c == '\t';
        if (quote != '\0') {
            if (c == quote)
                quote = '\0';
            else
                word += c;
        } else if (c == '"' || c == '\'') {
            quote = c;
            inside = true;
        } else if (space || (c == '#' && !inside)) {
            if (inside) found.push_back(std::exchange(word, {}));
            inside = false;
            if (c == '#') break;
        } else {
            word += c;
            inside = true;
        }
    }
    if (quote != '\0') return std::nullopt;
    if (inside) found.push_back(std::move(word));
    return found;
}

/// Reads line by line, and says where it stopped.
class Reader {
  public:
    explicit Reader(const std::string& file) : file_(file) {}

    void take(std::string_view text) {
        ++line_;
        text = trimmed(text);
        if (text.empty() || text.front() == '#' || text.front() == ';') return;
        if (text.front() == '[') return section(text);
        const auto equals = text.find('=');
        if (equals == std::string_view::npos)
            fail(fmt::format("\"{}\" is neither [name] nor key = value", harmless(text)));
        if (programs_.empty() && !in_trial_) fail("it stands in no section: begin one with [name]");
        const auto values = words(text.substr(equals + 1));
        if (!values) fail("a quote is not closed");
        const std::string key(trimmed(text.substr(0, equals)));
        in_trial_ ? set_trial(key, *values) : set(key, *values);
    }

    Config finish() {
        check();
        if (programs_.empty())
            throw Stop(kError, fmt::format("{} names no program: it needs a section such as "
                                           "[order] with the line command = order",
                                           file_));
        return {std::move(programs_), std::move(trial_)};
    }

  private:
    [[noreturn]] void fail(const std::string& why) const {
        throw Stop(kError, fmt::format("{}:{}: {}", file_, line_, why));
    }
    /// The section that ends here is complete.
    void check() const {
        if (!in_trial_ && !programs_.empty() && programs_.back().command.empty())
            throw Stop(kError, fmt::format("{}:{}: [{}] has no command", file_, begun_,
                                           programs_.back().name));
    }
    void section(std::string_view text) {
        check();
        const auto close = text.find(']');
        const std::string name(
            trimmed(text.substr(1, close == std::string_view::npos ? close : close - 1)));
        if (close == std::string_view::npos || !is_service(name))
            fail("a section is [name], of letters, digits, _ and -");
        for (const Program& each : programs_)
            if (each.name == name) fail(fmt::format("there is a section [{}] already", name));
        begun_ = line_;
        in_trial_ = name == kTrial;
        if (!in_trial_) programs_.emplace_back().name = name;
    }
    void set(const std::string& key, const std::vector<std::string>& values) {
        Program& program = programs_.back();
        if (key == "command") {
            if (values.size() != 1)
                fail("command is one program: what follows it stands in args = …");
            program.command = values.front();
        } else if (key == "args") {
            program.args.insert(program.args.end(), values.begin(), values.end());
        } else if (key == "env") {
            add_settings(program.env, values);
        } else if (key == "service") {
            const bool yes = values.size() == 1 && values.front() == "true";
            if (!yes && (values.size() != 1 || values.front() != "false"))
                fail("service is true or false");
            program.service = yes;
        } else {
            fail(fmt::format("\"{}\" is no key: there are command, args, env and service",
                             harmless(key)));
        }
    }

    void set_trial(const std::string& key, const std::vector<std::string>& values) {
        if (key == "env") return add_settings(trial_.env, values);
        if (key != "load" && key != "check")
            fail(fmt::format("\"{}\" is no key of [chaos]: there are load, check and env",
                             harmless(key)));
        if (values.empty()) fail(key + " is a program and its arguments");
        (key == "load" ? trial_.load : trial_.check) = values;
    }
    void add_settings(Settings& env, const std::vector<std::string>& values) {
        for (const std::string& value : values) {
            const auto equals = value.find('=');
            if (equals == std::string::npos || equals == 0)
                fail(fmt::format("\"{}\" is no NAME=value", harmless(value)));
            env.emplace_back(value.substr(0, equals), value.substr(equals + 1));
        }
    }

    static constexpr std::string_view kTrial = "chaos";
    const std::string& file_;
    std::vector<Program> programs_;
    Trial trial_;
    bool in_trial_ = false;
    int line_ = 0, begun_ = 0;
};

bool runs(const files::path& path) {
    std::error_code none;
    return files::is_regular_file(path, none) && ::access(path.c_str(), X_OK) == 0;
}

}  // namespace

Config parse_config(std::string_view text, const std::string& file) {
    Reader reader(file);
    while (!text.empty()) {
        const auto end = text.find('\n');
        reader.take(text.substr(0, end));
        text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    }
    return reader.finish();
}

Config read_config(const files::path& file) {
    std::ifstream in(file);
    std::stringstream text;
    if (in) text << in.rdbuf();
    if (!in || !text)
        throw Stop(kError, fmt::format("cannot read {}: give --config a file such as "
                                       "services/shop.ini",
                                       file.string()));
    return parse_config(text.str(), file.string());
}

files::path on_path(const std::string& name) {
    const char* variable = std::getenv("PATH");
    std::string folders = variable == nullptr ? "/usr/bin:/bin" : variable;
    folders += ":/usr/sbin:/usr/local/sbin";  // Debian's nats-server stands there
    std::stringstream list(folders);
    for (std::string folder; std::getline(list, folder, ':');)
        if (files::path path = files::path(folder.empty() ? "." : folder) / name; runs(path))
            return path;
    return {};
}

files::path own_path() {
    std::error_code none;
    return files::read_symlink("/proc/self/exe", none);
}

files::path find_program(const std::string& command, const files::path& own,
                         const files::path& folder) {
    if (command.find('/') != std::string::npos) {
        files::path path = folder / command;  // an absolute one stays as it is
        if (runs(path)) return path;
        throw Stop(kError, fmt::format("there is no program {}", path.string()));
    }
    if (files::path beside = own.parent_path() / command; runs(beside)) return beside;
    if (files::path path = on_path(command); !path.empty()) return path;
    throw Stop(kError, fmt::format("there is no program {} in {}, where saga itself is, and none "
                                   "on PATH: build and install it, or give its path as command",
                                   command, own.parent_path().string()));
}

}  // namespace saga::cli
