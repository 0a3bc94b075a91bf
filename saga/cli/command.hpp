// What the commands of `saga` share: how to reach the broker, how to speak, how to end.
#pragma once

#include <fmt/format.h>

#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "saga/bus/nats_client.hpp"
#include "saga/bus/nats_options.hpp"

namespace saga::view {}

namespace saga::cli {

using namespace view;  // what the stream says of sagas is what the tool speaks of

class Command;

/// Exit codes, the same for every command.
enum Exit : int {
    kOk = 0,
    kError = 1,
    kUsage = 2,
    kNotFound = 3,
    kUnreachable = 4,  ///< or a time that passed
    kUndone = 5,       ///< the saga that was asked about was undone
    kStuck = 6,        ///< it failed to be undone, or does not move
    kInterrupted = 130,
};

/// Ends the command: `what` goes to stderr, in one sentence that says what to do. Empty: the code
/// says all.
class Stop : public Error {
  public:
    Stop(Exit code, const std::string& what) : Error(what), code(code) {}
    Exit code;
};

/// Flags of the whole program, as natscli has them.
struct Options {
    bus::Address address;
    std::string context;
    std::chrono::milliseconds timeout{5'000};
    bool json = false, force = false;

    /// With the context's values where no flag or variable gave one.
    bus::Address reach() const;
    std::unique_ptr<bus::NatsClient> connect() const;  ///< Throws Stop(kUnreachable).
};

/// Colours where stdout is a terminal and NO_COLOR is not set.
class Paint {
  public:
    Paint();
    std::string bold(std::string_view text) const { return paint("1", text); }
    std::string dim(std::string_view text) const { return paint("2", text); }
    std::string red(std::string_view text) const { return paint("31", text); }
    std::string green(std::string_view text) const { return paint("32", text); }
    std::string yellow(std::string_view text) const { return paint("33", text); }
    /// In a colour of the terminal, by its number: "36".
    std::string in(std::string_view code, std::string_view text) const { return paint(code, text); }

  private:
    std::string paint(std::string_view code, std::string_view text) const;
    bool on_;
};

/// One request of JetStream's API. Throws Stop; an error of the broker carries its own words.
nlohmann::json api(bus::NatsClient& client, const std::string& subject, const std::string& body,
                   std::chrono::milliseconds timeout);
/// As api, but null where the broker says that there is no such thing.
nlohmann::json api_or_null(bus::NatsClient& client, const std::string& subject,
                           const std::string& body, std::chrono::milliseconds timeout);

// One file a command; each adds itself with its flags, examples and work.
void add_actions(Command& tool, Options& options);
void add_asyncapi(Command& tool, Options& options);
void add_backup(Command& tool, Options& options);
void add_bootstrap(Command& tool, Options& options);
void add_chaos(Command& tool, Options& options);
void add_check(Command& tool, Options& options);
void add_conformance(Command& tool, Options& options);
void add_completion(Command& tool, Options& options);
void add_decode(Command& tool, Options& options);
void add_dev(Command& tool, Options& options);
void add_dlq(Command& tool, Options& options);
void add_doctor(Command& tool, Options& options);
void add_graph(Command& tool, Options& options);
void add_schema(Command& tool, Options& options);
void add_ls(Command& tool, Options& options);
void add_outbox(Command& tool, Options& options);
void add_permissions(Command& tool, Options& options);
void add_reconcile(Command& tool, Options& options);
void add_restore(Command& tool, Options& options);
void add_services(Command& tool, Options& options);
void add_show(Command& tool, Options& options);
void add_trace(Command& tool, Options& options);
void add_verify(Command& tool, Options& options);
void add_wait(Command& tool, Options& options);
void add_watch(Command& tool, Options& options);

/// Runs the whole tool; its exit code. What main() does, so that tests can do it.
int run(int argc, const char* const* argv);

}  // namespace saga::cli
