// What `saga dev` tells of the programs that it runs, and how others ask for it.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "saga/cli/command.hpp"

namespace saga::cli {

inline constexpr std::string_view kDevName = "saga-dev";  ///< as if it were a service's

struct DevProgram {
    std::string name;
    bool service = true, running = false;
    std::uint64_t deaths = 0;
    std::string ended;  ///< how, when it ended last: "ended with code 1 after 20 ms; …"
    std::string said;   ///< its last line then
};

struct DevStatus {
    std::int64_t process = 0;
    std::string data;              ///< its folder
    std::uint64_t free_bytes = 0;  ///< there; 0: not known
    std::vector<DevProgram> programs;
};

std::string to_json(const DevStatus& status);
/// Empty when it is none.
std::optional<DevStatus> read_dev_status(const std::string& json);

/// Asks the `saga dev` of this broker. Empty when there is none.
std::optional<DevStatus> ask_dev(bus::NatsClient& client, std::chrono::milliseconds timeout);

/// Answers such questions, on the client's own thread, for as long as the client lives: it must go
/// before this does.
class DevDesk {
  public:
    void open(bus::NatsClient& client);
    void set(DevStatus status);

  private:
    std::mutex mutex_;
    DevStatus status_;
};

}  // namespace saga::cli
