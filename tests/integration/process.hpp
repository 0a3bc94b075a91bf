// A program of the test's own as a child process: killed with the object, whatever happens.
#pragma once

#include <string>
#include <vector>

namespace saga::testing {

class Process {
  public:
    /// `program` stands beside the test's own; what it says goes to the file `log`. `variables` are
    /// NAME=value.
    Process(const std::string& program, const std::vector<std::string>& arguments, std::string log,
            const std::vector<std::string>& variables = {});
    ~Process();
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;

    bool running();
    void signal(int number);
    /// Its exit code, or minus the signal that ended it; waits.
    int wait();
    std::string said() const;

  private:
    std::string log_;
    int process_ = -1, status_ = 0;
};

}  // namespace saga::testing
