// One run of `saga dev`: a broker and programs, from their start until all of them are gone.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "saga/cli/dev_config.hpp"
#include "saga/cli/dev_status.hpp"
#include "saga/cli/local.hpp"
#include "saga/cli/signals.hpp"
#include "saga/cli/supervisor.hpp"

namespace saga::cli {

class DevSession {
  public:
    struct Plan {
        std::vector<Placed> programs;
        std::filesystem::path broker, data;
        std::uint16_t port = 0;
        bool json = false;
    };
    DevSession(Plan plan, Signals& signals, Guard& guard);

    /// Returns when all have gone: kOk after a stop that was asked for, kInterrupted when they were
    /// killed. Throws Stop, after everything was stopped, when the broker does not come up.
    Exit run();

    std::string url() const;

  private:
    enum class Phase : std::uint8_t { broker, programs, stopping, stopping_broker };
    void step(Steady now);
    void wait(Steady until);
    void begin_programs();
    void write_meant();
    void forget_meant();
    void look_ready(Steady now);
    void tell();
    void ask_to_stop(Steady now, int times);
    bool programs_gone() const;
    void fail(const std::string& why, Steady now);

    void on_line(std::size_t program, std::string_view line);
    void keep(std::string_view line);
    void remark(std::size_t program, const std::string& text);
    void say(const std::string& text);
    void say_up();

    Plan plan_;
    Signals& signals_;
    Outlet outlet_;
    Paint paint_;
    std::size_t columns_ = 4;  // of the longest name
    Supervisor supervisor_;
    std::size_t broker_ = 0;
    std::vector<std::size_t> programs_;
    std::vector<std::string> names_;  // of each number of the supervisor
    std::deque<std::string> broker_says_;
    std::map<std::size_t, std::string> says_;  // the last line of each program
    Phase phase_ = Phase::broker;
    Steady begun_, deadline_, next_look_;
    std::vector<std::string> unready_;
    DevStatus status_;
    DevDesk desk_;  // told of the status; outlives the client, which asks it
    std::unique_ptr<bus::NatsClient> client_;
    bool killed_ = false;
    std::string failure_;
};

}  // namespace saga::cli
