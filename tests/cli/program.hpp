// Programs as their users start them: with words, an environment and what stands on stdin.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/integration/instance.hpp"

namespace saga::testing {

/// What a program said, and its exit code; 128 and the signal's number where one ended it.
struct Ran {
    int code = -1;
    std::string out, err;
};

/// One that runs beside the test. Asked to end and then killed with the object.
class Program {
  public:
    struct Launch {
        std::string path;
        std::vector<std::string> args;
        std::vector<std::string> env;  ///< NAME=value: all of them
        std::string input;             ///< its stdin
    };
    explicit Program(const Launch& launch);
    ~Program();
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;

    void signal(int number) const;
    bool ended();
    /// What it said so far; its exit code once ended() was true.
    Ran ran() const;

  private:
    TempFolder folder_;
    int process_ = -1, code_ = -1;
};

/// The programs that were built with this test: `saga`, and the service asker.
std::string saga_program();
std::string asker_program();

/// An environment without anything of the tester's own: a home that is `home`, a PATH without any
/// nats-server in it but what /usr/sbin has.
std::vector<std::string> plain_env(const std::string& home, const std::string& url);

/// Runs it to its end, for a minute at most, while `instances` go on with their work.
Ran run_to_end(const Program::Launch& launch, const std::vector<Instance*>& instances = {});

bool has(const std::string& text, const std::string& part);
/// Lines that say something.
std::size_t lines(const std::string& text);

}  // namespace saga::testing
