// saga dev: a broker and the services of a file on this machine, for as long as it runs.
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "saga/cli/command_line.hpp"
#include "saga/cli/dev_session.hpp"

namespace saga::cli {
namespace {

namespace files = std::filesystem;

struct Given {
    std::string config, data = "data", server;
    int port = -1;  // 0: any that is free; -1: the usual one, or any
};

/// Held for as long as we run; what stands in it says who we are.
Descriptor lock(const files::path& data) {
    const files::path path = data / "dev.lock";
    Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    if (!file)
        throw Stop(kError, fmt::format("cannot write in {}: {}; give --data a folder that you may "
                                       "write in",
                                       data.string(), std::strerror(errno)));
    if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
        std::array<char, 32> holder{};
        const bool known = ::read(file.get(), holder.data(), holder.size() - 1) > 0;
        throw Stop(kError, fmt::format("another saga dev{} runs on {}: stop it, or give --data "
                                       "another folder",
                                       known ? fmt::format(" (process {})", holder.data()) : "",
                                       data.string()));
    }
    const std::string self = std::to_string(::getpid());
    if (::ftruncate(file.get(), 0) != 0 ||
        ::write(file.get(), self.data(), self.size()) != static_cast<ssize_t>(self.size()))
        throw Stop(kError,
                   fmt::format("cannot write in {}: {}", data.string(), std::strerror(errno)));
    return file;
}

files::path folder(const std::string& given) {
    std::error_code failed;
    files::create_directories(given, failed);
    if (failed)
        throw Stop(kError, fmt::format("cannot make the folder {}: {}; give --data another one",
                                       given, failed.message()));
    return files::absolute(given).lexically_normal();
}

void dev(const Options& options, const Given& given) {
    DevSession::Plan plan{.programs = placed(read_config(given.config).programs, given.config),
                          .broker = find_broker(given.server),
                          .json = options.json};
    plan.data = folder(given.data);
    const Descriptor lock_file = lock(plan.data);
    plan.port = pick_port(given.port);
    Signals signals;
    Guard guard;
    const Exit code = DevSession(std::move(plan), signals, guard).run();
    if (code != kOk) throw Stop(code, "killed");
}

}  // namespace

void add_dev(Command& tool, Options& options) {
    auto given = std::make_shared<Given>();
    Command command = tool.command("dev", "Run a broker and the services of a file, until Ctrl-C");
    command.group("Operate");
    command.footer(
        "Examples:\n"
        "  saga dev --config services/shop.ini\n"
        "  saga dev --config services/shop.ini --data /tmp/shop --nats-port 4333\n\n"
        "The file has a section for each program, in the order of their start:\n\n"
        "  [order]\n"
        "  command = order              beside saga itself, then on PATH; or a path from the file\n"
        "  args = --batch 64            may be left out, as may all that follows\n"
        "  env = SAGA_LOG_LEVEL=debug\n"
        "  service = true               false: no service of sagas, such as a bank\n\n"
        "Each is given NATS_URL, SAGA_DATA and SAGA_IN_SUBJECT=1, and started again when it ends.\n"
        "Their lines go to stdout, each with its program's name; our own words to stderr.");
    command.option("--config", given->config, "the programs").required().type("FILE");
    command.option("--data", given->data, "their databases and the stream; otherwise ./data")
        .variable("SAGA_DATA")
        .type("DIR");
    command
        .option("--nats-port", given->port,
                "0: any that is free; otherwise 4222, or any where that is taken")
        .between(0, 65535)
        .type("N");
    command.option("--nats-server", given->server, "otherwise the one on PATH").type("PROGRAM");
    command.runs([&options, given] { dev(options, *given); });
}

}  // namespace saga::cli
