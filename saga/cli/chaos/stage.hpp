// A landscape that is put to the test: its broker, and its programs, each behind a link of the
// proxy.
#pragma once

#include <deque>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "saga/cli/chaos/proxy.hpp"
#include "saga/cli/local.hpp"
#include "saga/cli/participants.hpp"
#include "saga/cli/signals.hpp"
#include "saga/cli/supervisor.hpp"

namespace saga::cli {

using Duration = std::chrono::milliseconds;

/// A program of the landscape.
struct Member {
    Placed program;
    std::size_t number = 0;  ///< of the supervisor
    std::size_t link = 0;    ///< of the proxy
    std::filesystem::path data;
    std::vector<std::string> failpoints;  ///< what its `--failpoints` lists
    std::vector<std::string> at_first;    ///< the same, of the build that it begins as
    std::filesystem::path earlier;        ///< the program of an earlier build, where there is one
    std::string contract;                 ///< what its `--contract` prints
    std::string said;                     ///< since it was cleared; the last 64 KiB
    bool may_abort = false;               ///< a fault that asks for it is on

    const std::string& name() const { return program.name; }
};

/// What a program that ran to its end has left. `status`: as waitpid says it; none: it did not end.
struct Outcome {
    std::optional<int> status;
    std::string said;
    bool ok() const { return status == 0; }
};

/// One thread. Everything that waits runs the landscape meanwhile: starts again what died, reads
/// what is said. Throws Stop(kInterrupted) as soon as somebody asks the command to stop.
class Stage {
  public:
    struct Plan {
        std::vector<Placed> programs;
        std::filesystem::path broker, data, folder;  ///< folder: of the configuration
        std::filesystem::path previous;              ///< programs of an earlier build; may be empty
        Trial trial;
        std::uint64_t seed = 0;
    };
    Stage(Plan plan, Signals& signals, Guard& guard);
    ~Stage();  ///< Ends what still runs.
    Stage(const Stage&) = delete;
    Stage& operator=(const Stage&) = delete;

    /// Starts the broker, makes its streams, starts the programs, each as its earlier build where
    /// there is one. `env`: more of a program's, for its first start.
    void open(const std::map<std::string, std::string>& env = {});
    /// Lets time pass until `met`, at most `limit`; whether it was met.
    bool until(Duration limit, const std::function<bool()>& met);
    void pass(Duration time);

    std::deque<Member>& members() { return members_; }
    std::vector<Member*> services();
    Member& member(std::string_view name);
    const Plan& plan() const { return plan_; }
    Proxy& proxy() { return *proxy_; }
    Supervisor& supervisor() { return supervisor_; }
    /// Straight to the broker, whatever becomes of the links.
    bus::NatsClient& client() { return *client_; }
    std::string url() const;

    /// What it says of itself; nothing when it does not answer now.
    std::optional<ServiceState> state(const Member& member);
    bool await_ready(Member& member, Duration limit);
    /// Asks it to stop; whether it did, cleanly.
    bool stop(Member& member);
    void start(Member& member);
    /// Sets or, when empty, takes away a variable of its next start.
    void env(Member& member, const std::string& name, const std::string& value);

    /// Ends the broker as a power switch would, lets `work` treat its store, and starts it again.
    void with_broker_down(const std::function<void(const std::filesystem::path& store)>& work);
    std::size_t broker() const { return broker_; }
    /// Waits until it answers, and makes the streams that it lacks.
    void await_broker();

    /// Runs a program of the landscape's to its end, or kills it.
    Outcome run(const std::string& name, Launch launch, Duration limit);
    /// A command of [chaos], with the broker at `url`.
    Launch launch(const std::vector<std::string>& command, const std::string& url) const;
    /// Runs beside everything else; each line is told.
    std::size_t begin(const std::string& name, Launch launch,
                      std::function<void(std::string_view)> on_line);

    /// Programs that ended as no fault explains, each in a sentence.
    const std::vector<std::string>& crashes() const { return crashes_; }
    std::filesystem::path logs() const { return plan_.data / "logs"; }

  private:
    void wait(Steady until);
    void on_line(std::size_t program, std::string_view line);
    void on_remark(std::size_t program, const std::string& remark);
    void log(std::size_t program, std::string_view line);
    void share_keys();
    void name(std::size_t program, const std::string& name);

    Plan plan_;
    Signals& signals_;
    Supervisor supervisor_;
    std::uint16_t port_ = 0;
    std::unique_ptr<Proxy> proxy_;
    std::unique_ptr<bus::NatsClient> client_;
    std::size_t broker_ = 0;
    std::deque<Member> members_;
    std::vector<std::string> names_;  // of each number of the supervisor
    std::map<std::size_t, Member*> by_number_;
    std::map<std::size_t, std::function<void(std::string_view)>> listeners_;
    std::map<std::string, std::ofstream> logs_;
    std::vector<std::string> crashes_;
};

}  // namespace saga::cli
