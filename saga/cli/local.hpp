// A landscape on this machine: where its programs are, and how each of them is started.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "saga/cli/dev_config.hpp"
#include "saga/cli/process.hpp"

namespace saga::cli {

/// A program of the file, and where it was found.
struct Placed : Program {
    std::filesystem::path path;
};
/// Throws Stop, which names the section, when one is nowhere.
std::vector<Placed> placed(std::vector<Program> programs, const std::string& config);
/// Where the file stands: paths in it begin there.
std::filesystem::path folder_of(const std::string& config);

/// The nats-server of this name or path; where none is given, the one on PATH. Throws Stop.
std::filesystem::path find_broker(const std::string& given);
/// 0: any port of 127.0.0.1 that is free; below 0: the usual one, or any where that is taken.
/// Throws Stop when the one that was asked for is taken.
std::uint16_t pick_port(int given);

Launch broker_launch(const std::filesystem::path& broker, const std::filesystem::path& store,
                     std::uint16_t port);
/// With the broker at `url`, and nothing of ours that points elsewhere.
Launch program_launch(const Placed& program, const std::string& url,
                      const std::filesystem::path& data);

void set(std::vector<std::string>& env, std::string_view name, std::string_view value);
void unset(std::vector<std::string>& env, std::string_view name);

}  // namespace saga::cli
