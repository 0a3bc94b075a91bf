#include "saga/cli/process.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <set>

namespace saga::cli {
namespace {

[[noreturn]] void cannot(const std::string& what) {
    throw Stop(kError, fmt::format("cannot {}: {}", what, std::strerror(errno)));
}

std::pair<Descriptor, Descriptor> make_pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) cannot("make a pipe");
    return {Descriptor(ends[0]), Descriptor(ends[1])};
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> found;
    for (std::string& text : texts) found.push_back(text.data());
    found.push_back(nullptr);
    return found;
}

/// In the child, between fork and exec: calls nothing that takes a lock.
[[noreturn]] void become(const char* program, char* const* args, char* const* env,
                         const char* folder, int output, int failed, pid_t parent) {
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);  // it died before we asked for that
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    for (const int signal : {SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGCHLD}) ::signal(signal, SIG_DFL);
    const int nothing = ::open("/dev/null", O_RDONLY);
    ::dup2(nothing, STDIN_FILENO);
    ::dup2(output, STDOUT_FILENO);
    ::dup2(output, STDERR_FILENO);
    if (nothing > STDERR_FILENO) ::close(nothing);
    if (*folder == '\0' || ::chdir(folder) == 0) ::execve(program, args, env);
    const int why = errno;
    [[maybe_unused]] const ssize_t said = ::write(failed, &why, sizeof why);
    ::_exit(127);
}

/// The guard's life: words come until the other end of the pipe is closed.
[[noreturn]] void guard(int words) {
    ::setsid();
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) ::signal(signal, SIG_IGN);
    ::prctl(PR_SET_NAME, "saga-guard");
    std::set<pid_t> groups;
    pid_t word = 0;
    while (true) {
        const ssize_t size = ::read(words, &word, sizeof word);
        if (size < 0 && errno == EINTR) continue;
        if (size != sizeof word) break;
        if (word > 0)
            groups.insert(word);
        else
            groups.erase(-word);
    }
    for (const pid_t group : groups) ::kill(-group, SIGKILL);
    ::_exit(0);
}

}  // namespace

void Descriptor::reset(int fd) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
}

Guard::Guard() {
    auto [reads, writes] = make_pipe();
    pid_ = ::fork();
    if (pid_ < 0) cannot("start a process");
    if (pid_ == 0) {
        const int words = ::fcntl(reads.get(), F_DUPFD_CLOEXEC, 100);
        ::close_range(0, static_cast<unsigned>(words) - 1, 0);
        ::close_range(static_cast<unsigned>(words) + 1, ~0U, 0);
        guard(words);
    }
    pipe_ = std::move(writes);
}

Guard::~Guard() {
    pipe_.reset();
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
}

void Guard::tell(pid_t word) {
    while (::write(pipe_.get(), &word, sizeof word) < 0 && errno == EINTR) {
    }
}

Child start(const Launch& launch, Guard& guard) {
    std::vector<std::string> args{launch.program.string()};
    args.insert(args.end(), launch.args.begin(), launch.args.end());
    std::vector<std::string> env = launch.env;
    const auto arg_list = pointers(args), env_list = pointers(env);
    auto [output, written] = make_pipe();
    auto [failure, failed] = make_pipe();
    const pid_t parent = ::getpid();
    const pid_t pid = ::fork();
    if (pid < 0) cannot("start " + launch.program.string());
    if (pid == 0)
        become(args.front().c_str(), arg_list.data(), env_list.data(), launch.folder.c_str(),
               written.get(), failed.get(), parent);
    ::setpgid(pid, pid);  // whichever of both comes first
    guard.watch(pid);
    written.reset();
    failed.reset();
    int why = 0;
    ssize_t size = 0;
    while ((size = ::read(failure.get(), &why, sizeof why)) < 0 && errno == EINTR) {
    }
    if (size == sizeof why) {
        ::waitpid(pid, nullptr, 0);
        guard.forget(pid);
        errno = why;
        cannot("start " + launch.program.string());
    }
    ::fcntl(output.get(), F_SETFL, O_NONBLOCK);
    return {pid, std::move(output)};
}

std::string ending(int status) {
    if (!WIFSIGNALED(status)) return fmt::format("code {}", WEXITSTATUS(status));
    return fmt::format("signal {} ({})", WTERMSIG(status), ::strsignal(WTERMSIG(status)));
}

}  // namespace saga::cli
