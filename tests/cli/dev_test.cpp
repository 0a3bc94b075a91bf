// saga dev: a broker and programs, and what its first user is told when something is missing.
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "saga/cli/broker_info.hpp"
#include "saga/cli/dev_config.hpp"
#include "tests/cli/town.hpp"

using namespace saga::testing;
using namespace std::chrono_literals;

namespace {

struct Dev {
    explicit Dev(const std::string& config) { std::ofstream(folder / "town.ini") << config; }
    Program::Launch launch(std::vector<std::string> more) const {
        std::vector<std::string> args{"dev", "--config", folder / "town.ini", "--data",
                                      folder / "data"};
        args.insert(args.end(), more.begin(), more.end());
        return {.path = saga_program(), .args = args, .env = plain_env(folder.path(), "")};
    }
    Ran run(std::vector<std::string> more) const { return run_to_end(launch(std::move(more))); }
    Ran saga(std::vector<std::string> args, const std::string& url) const {
        return run_to_end({.path = saga_program(),
                           .args = std::move(args),
                           .env = plain_env(folder.path(), url)});
    }
    TempFolder folder;
};

std::string one_asker() {
    return "[asker]\ncommand = " + asker_program() + "\n";
}

/// One line on stderr, which holds both.
void refuses(const Ran& ran, const std::string& what, const std::string& to_do) {
    CAPTURE(ran.err);
    CHECK(ran.code == 1);
    CHECK(ran.out.empty());
    CHECK(lines(ran.err) == 1);
    CHECK(has(ran.err, what));
    CHECK(has(ran.err, to_do));
}

/// A port of 127.0.0.1 that somebody listens on.
class Taken {
  public:
    Taken() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        auto* raw = reinterpret_cast<sockaddr*>(&address);
        REQUIRE((::bind(socket_, raw, size) == 0 && ::listen(socket_, 1) == 0 &&
                 ::getsockname(socket_, raw, &size) == 0));
        port = std::to_string(ntohs(address.sin_port));
    }
    ~Taken() { ::close(socket_); }
    Taken(const Taken&) = delete;
    Taken& operator=(const Taken&) = delete;
    std::string port;

  private:
    int socket_;
};

std::string url_in(const std::string& text) {
    const auto at = text.find("nats://127.0.0.1:");
    return at == std::string::npos ? "" : text.substr(at, text.find_first_of(" \n\",", at) - at);
}

}  // namespace

TEST_CASE("dev: runs what the file says, doctor finds all well, and a stop leaves nothing") {
    for (const std::string& binary : servers()) {
        CAPTURE(binary);
        const Dev dev(one_asker() +
                      "[helper]\ncommand = /usr/bin/tail\nargs = -f /dev/null\n"
                      "service = false\n");
        Program program(dev.launch({"--nats-port", "0", "--nats-server", binary}));
        REQUIRE(eventually([&] { return has(program.ran().err, "all services are ready"); }));
        const std::string url = url_in(program.ran().err);
        const Ran doctor = dev.saga({"doctor"}, url);
        CHECK_MESSAGE(doctor.code == 0, doctor.out);
        CHECK(has(doctor.out, "1 of 1 service ready: asker"));
        CHECK(has(doctor.out, "1 other program running: helper"));
        CHECK(has(program.ran().out, "asker  | "));
        CHECK_FALSE(has(program.ran().out, "\x1b"));
        const Ran second = dev.run({"--nats-port", "0"});
        refuses(second, "another saga dev (process ", "give --data another folder");
        program.signal(15);
        REQUIRE(eventually([&] { return program.ended(); }));
        CHECK(program.ran().code == 0);
        CHECK(has(program.ran().err, "stopped"));
        CHECK(dev.saga({"doctor"}, url).code == 4);
    }
}

TEST_CASE("dev: a program that does not start is named by doctor with its last words") {
    const Dev dev(one_asker() +
                  "[broken]\ncommand = /bin/sh\nargs = -c 'echo no such luck; exit 3'\n");
    Program program(dev.launch({"--nats-port", "0", "--nats-server", servers().front()}));
    REQUIRE(eventually([&] { return has(program.ran().err, "broken ended with code 3"); }));
    const Ran doctor = dev.saga({"doctor"}, url_in(program.ran().err));
    CHECK(doctor.code == 1);
    CHECK_MESSAGE(has(doctor.out, "error    broken: does not answer: it ended with code 3"),
                  doctor.out);
    CHECK(has(doctor.out, "its last words: no such luck"));
    CHECK(has(doctor.out, "saga dev starts it again by itself"));
}

TEST_CASE("dev: its output in JSON is JSON, line by line") {
    const Dev dev(one_asker());
    Program program(dev.launch({"--nats-port", "0", "--nats-server", servers().front(), "--json"}));
    REQUIRE(eventually([&] { return has(program.ran().out, " info ready"); }));
    program.signal(2);
    REQUIRE(eventually([&] { return program.ended(); }));
    std::istringstream all(program.ran().out);
    for (std::string line; std::getline(all, line);) CHECK(nlohmann::json::accept(line));
    CHECK(has(program.ran().out, R"({"event":"up","url":"nats://127.0.0.1:)"));
}

TEST_CASE("dev: a port that is taken, and by whom") {
    const Taken taken;
    const Dev dev(one_asker());
    const Ran ran = dev.run({"--nats-port", taken.port});
    refuses(ran, "port " + taken.port + " is taken by process " + std::to_string(::getpid()),
            "give --nats-port another one, or 0 for any that is free");
}

TEST_CASE("dev: no nats-server") {
    const Dev dev(one_asker());
    refuses(dev.run({"--nats-server", "no-such-server"}), "there is no program no-such-server",
            "--nats-server names a nats-server");
    refuses(dev.run({"--nats-server", "/bin/false", "--nats-port", "0"}),
            "the nats-server /bin/false does not start", "name another one with --nats-server");
    const bool everywhere =
        ::access("/usr/sbin/nats-server", X_OK) == 0 || ::access("/usr/bin/nats-server", X_OK) == 0;
    if (everywhere) {
        MESSAGE("a nats-server stands where every PATH leads: the rest is not tried");
        return;
    }
    refuses(dev.run({}), "there is no nats-server on PATH", "install it");
}

TEST_CASE("dev: a file that is none, or says what cannot be done") {
    const Dev dev(one_asker());
    const Ran missing = run_to_end({.path = saga_program(),
                                    .args = {"dev", "--config", "/nowhere/shop.ini"},
                                    .env = plain_env(dev.folder.path(), "")});
    refuses(missing, "cannot read /nowhere/shop.ini", "give --config a file such as");
    refuses(Dev("[asker]\nprogram = asker\n").run({}), "town.ini:2: \"program\" is no key",
            "there are command, args, env and service");
    refuses(Dev("[asker]\ncommand = no-such-program\n").run({}),
            "there is no program no-such-program", "build and install it, or give its path");
    std::ofstream(dev.folder / "file") << "x";
    const Ran no_folder = run_to_end(
        {.path = saga_program(),
         .args = {"dev", "--config", dev.folder / "town.ini", "--data", dev.folder / "file/below"},
         .env = plain_env(dev.folder.path(), "")});
    refuses(no_folder, "cannot make the folder", "give --data another one");
    const Ran none = run_to_end(
        {.path = saga_program(), .args = {"dev"}, .env = plain_env(dev.folder.path(), "")});
    CHECK(none.code == 2);
    CHECK(has(none.err, "--config is required"));
}

TEST_CASE("tool: a word that is no command, a flag that is none, no word at all") {
    const Dev dev(one_asker());
    const Ran typo = dev.saga({"docter"}, "");
    CHECK(typo.code == 2);
    CHECK(has(typo.err, "Did you mean: saga doctor"));
    const Ran flag = dev.saga({"ls", "--sicne", "1h"}, "");
    CHECK(flag.code == 2);
    CHECK(has(flag.err, "More: saga ls --help"));
    const Ran nothing = dev.saga({}, "");
    CHECK(nothing.code == 2);
    CHECK(has(nothing.err, "Examples:"));
    for (const char* command : {"doctor", "dev", "dlq", "trace", "completion"}) {
        const Ran help = dev.saga({command, "--help"}, "");
        CHECK(help.code == 0);
        CHECK(has(help.out, "Examples:"));
    }
    CHECK(has(dev.saga({"completion", "bash"}, "").out, "doctor"));
    CHECK(has(dev.saga({"--version"}, "").out, "0."));
}
