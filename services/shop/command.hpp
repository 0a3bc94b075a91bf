// What the commands of `shop` share: how to reach the services, how to speak, how to end.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <saga/address.hpp>
#include <saga/client.hpp>
#include <string>

namespace CLI {
class App;
}

namespace shop {

/// Exit codes, the same for every command, and the same as of `saga`.
enum Exit : int {
    kOk = 0,
    kError = 1,
    kUsage = 2,  ///< or a file that cannot be used
    kNotFound = 3,
    kUnreachable = 4,  ///< or a time that passed
};

/// Ends the command: `what` goes to stderr, in one sentence that says what to do.
class Stop : public saga::Error {
  public:
    Stop(Exit with, const std::string& what) : Error(what), code(with) {}
    Exit code;
};

/// Flags of the whole program.
struct Options {
    saga::Address address;
    std::chrono::seconds patience{60};
    bool json = false;

    /// Tries again for as long as the patience, then throws Stop(kUnreachable).
    std::unique_ptr<saga::Client> connect() const;
};

/// Asks again, with growing pauses, until `ask` does not throw saga::Error. Throws
/// Stop(kUnreachable) when `patience` has passed, or `enough` says so; a Stop of `ask` goes
/// through. What is asked must bear being asked twice. Says once in a program's life, on stderr,
/// that it waits. Any thread.
void until_answered(
    std::chrono::seconds patience, const std::function<void()>& ask,
    const std::function<bool()>& enough = [] { return false; });

template <class Ask>
auto answer_of(const Options& options, const Ask& ask) {
    decltype(ask()) answer{};
    until_answered(options.patience, [&] { answer = ask(); });
    return answer;
}

/// A bar on stderr, where that is a terminal; otherwise nothing. One thread.
class Progress {
  public:
    /// `json`: nothing either.
    Progress(std::size_t all, bool json);
    ~Progress() { clear(); }
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    void show(std::size_t done);
    void clear();

  private:
    std::size_t all_;
    bool on_;
    std::chrono::steady_clock::time_point begun_, shown_{};
};

// Each adds its command with its flags, examples and work.
void add_seed(CLI::App& app, Options& options);
void add_orders(CLI::App& app, Options& options);  ///< place, cancel, show
void add_import(CLI::App& app, Options& options);
void add_load(CLI::App& app, Options& options);
void add_audit(CLI::App& app, Options& options);
void add_bank(CLI::App& app, Options& options);

}  // namespace shop
