#include "tests/cli/program.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace saga::testing {
namespace {

using namespace std::chrono_literals;

std::string content(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> found;
    for (std::string& text : texts) found.push_back(text.data());
    found.push_back(nullptr);
    return found;
}

std::string named(const char* variable) {
    const char* path = std::getenv(variable);
    if (path == nullptr)
        throw std::runtime_error(std::string(variable) + " names no program: run `meson test`");
    return path;
}

}  // namespace

Program::Program(const Launch& launch) {
    std::ofstream(folder_ / "in", std::ios::binary) << launch.input;
    std::vector<std::string> args{launch.path}, env = launch.env;
    args.insert(args.end(), launch.args.begin(), launch.args.end());
    const auto arg_list = pointers(args), env_list = pointers(env);
    const std::string in = folder_ / "in", out = folder_ / "out", err = folder_ / "err";
    process_ = ::fork();
    if (process_ < 0) throw std::runtime_error("cannot start a process");
    if (process_ != 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    constexpr int kWrite = O_WRONLY | O_CREAT | O_TRUNC;
    ::dup2(::open(in.c_str(), O_RDONLY | O_CLOEXEC), STDIN_FILENO);
    ::dup2(::open(out.c_str(), kWrite | O_CLOEXEC, 0600), STDOUT_FILENO);
    ::dup2(::open(err.c_str(), kWrite | O_CLOEXEC, 0600), STDERR_FILENO);
    ::execve(arg_list.front(), arg_list.data(), env_list.data());
    ::_exit(127);
}

Program::~Program() {
    if (process_ < 0) return;
    ::kill(process_, SIGTERM);
    if (eventually([&] { return ended(); }, 5s)) return;
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
}

void Program::signal(int number) const {
    if (process_ > 0) ::kill(process_, number);
}

bool Program::ended() {
    int status = 0;
    if (process_ < 0) return true;
    if (::waitpid(process_, &status, WNOHANG) != process_) return false;
    process_ = -1;
    code_ = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    return true;
}

Ran Program::ran() const {
    return {code_, content(folder_ / "out"), content(folder_ / "err")};
}

std::string saga_program() {
    return named("SAGA_PROGRAM");
}
std::string asker_program() {
    return named("SAGA_ASKER");
}

std::vector<std::string> plain_env(const std::string& home, const std::string& url) {
    return {"PATH=/usr/bin:/bin",      "HOME=" + home,       "XDG_CACHE_HOME=" + home,
            "XDG_CONFIG_HOME=" + home, "NATS_URL=" + url,    "TZ=UTC",
            "LC_ALL=C.UTF-8",          "NATS_TIMEOUT=5000ms"};
}

Ran run_to_end(const Program::Launch& launch, const std::vector<Instance*>& instances) {
    Program program(launch);
    if (!drive(
            instances, [&] { return program.ended(); }, 60s)) {
        const Ran so_far = program.ran();
        throw std::runtime_error(launch.path + " does not end: " + so_far.out + so_far.err);
    }
    return program.ran();
}

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

std::size_t lines(const std::string& text) {
    std::istringstream all(text);
    std::size_t count = 0;
    for (std::string line; std::getline(all, line);) count += line.empty() ? 0 : 1;
    return count;
}

}  // namespace saga::testing
