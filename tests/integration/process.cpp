#include "tests/integration/process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace saga::testing {

Process::Process(const std::string& program, const std::vector<std::string>& arguments,
                 std::string log, const std::vector<std::string>& variables)
    : log_(std::move(log)) {
    const auto path = std::filesystem::read_symlink("/proc/self/exe").parent_path() / program;
    std::vector<char*> argv{const_cast<char*>(path.c_str())};
    for (const std::string& each : arguments) argv.push_back(const_cast<char*>(each.c_str()));
    argv.push_back(nullptr);
    std::vector<char*> environment;
    for (char** each = environ; *each != nullptr; ++each) environment.push_back(*each);
    for (const std::string& each : variables)
        environment.push_back(const_cast<char*>(each.c_str()));
    environment.push_back(nullptr);
    process_ = ::fork();
    if (process_ < 0) throw std::runtime_error("cannot fork");
    if (process_ == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        const int file = ::open(log_.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
        ::dup2(file, STDOUT_FILENO);
        ::dup2(file, STDERR_FILENO);
        ::execve(path.c_str(), argv.data(), environment.data());
        ::_exit(127);
    }
}

Process::~Process() {
    if (!running()) return;
    signal(SIGKILL);
    wait();
}

bool Process::running() {
    if (process_ < 0) return false;
    if (::waitpid(process_, &status_, WNOHANG) == process_) process_ = -1;
    return process_ >= 0;
}

void Process::signal(int number) {
    if (process_ >= 0) ::kill(process_, number);
}

int Process::wait() {
    if (process_ >= 0) ::waitpid(process_, &status_, 0);
    process_ = -1;
    return WIFSIGNALED(status_) ? -WTERMSIG(status_) : WEXITSTATUS(status_);
}

std::string Process::said() const {
    std::ifstream file(log_);
    return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace saga::testing
