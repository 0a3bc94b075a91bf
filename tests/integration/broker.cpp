#include "tests/integration/broker.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "saga/bus/nats_client.hpp"
#include "saga/bus/topology.hpp"

namespace saga::testing {
namespace {

namespace fs = std::filesystem;

int free_port() {
    const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* raw = reinterpret_cast<sockaddr*>(&address);
    const bool bound = ::bind(socket, raw, size) == 0 && ::getsockname(socket, raw, &size) == 0;
    ::close(socket);
    if (!bound) throw std::runtime_error("no free port on loopback");
    return ntohs(address.sin_port);
}

/// Whether a server says that it is ready, behind so much of its log: who answers on its port may
/// be another one.
bool says_ready(const std::string& log, std::uintmax_t behind) {
    std::ifstream file(log);
    file.seekg(static_cast<std::streamoff>(behind));
    const std::string said{std::istreambuf_iterator<char>(file), {}};
    return said.find("Server is ready") != std::string::npos;
}

}  // namespace

TempFolder::TempFolder() {
    std::string name = (fs::temp_directory_path() / "counterstep-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
    path_ = name;
}

TempFolder::~TempFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
}

bool eventually(const std::function<bool()>& met, std::chrono::milliseconds limit) {
    const auto until = std::chrono::steady_clock::now() + limit;
    while (!met()) {
        if (std::chrono::steady_clock::now() > until) return false;
        ::poll(nullptr, 0, 1);  // a breath: others work on the same cores
    }
    return true;
}

std::vector<std::string> servers() {
    std::vector<std::string> found;
    const char* named = std::getenv("SAGA_NATS_SERVERS");
    std::string_view rest = named == nullptr ? "" : named;
    while (!rest.empty()) {
        const auto colon = rest.find(':');
        if (colon != 0) found.emplace_back(rest.substr(0, colon));
        rest = colon == std::string_view::npos ? std::string_view{} : rest.substr(colon + 1);
    }
    if (found.empty()) found.emplace_back("nats-server");
    return found;
}

Broker::Broker(std::string binary, std::string extra)
    : binary_(std::move(binary)), extra_(std::move(extra)), port_(free_port()) {
    start();
}

Broker::~Broker() {
    kill();
}

std::string Broker::url() const {
    return fmt::format("nats://127.0.0.1:{}", port_);
}

std::string Broker::log() const {
    std::ifstream file(folder_ / "nats.log");
    return {std::istreambuf_iterator<char>(file), {}};
}

void Broker::start() {
    const std::string config = folder_ / "nats.conf";
    std::ofstream(config) << fmt::format(
        "listen: 127.0.0.1:{}\njetstream {{ store_dir: \"{}\" }}\n{}\n", port_, folder_ / "store",
        extra_);
    const std::string said = folder_ / "nats.log";
    std::ofstream(said, std::ios::app).close();
    const auto before = fs::file_size(said);
    process_ = ::fork();
    if (process_ == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        const int log = ::open(said.c_str(), O_WRONLY | O_APPEND);
        ::dup2(log, STDOUT_FILENO);
        ::dup2(log, STDERR_FILENO);
        ::execlp(binary_.c_str(), binary_.c_str(), "-c", config.c_str(), nullptr);
        ::_exit(127);
    }
    const bool up = eventually([&] {
        int status = 0;
        if (::waitpid(process_, &status, WNOHANG) == process_) {
            process_ = -1;
            return true;
        }
        return says_ready(said, before);
    });
    if (!up || process_ < 0) throw std::runtime_error("cannot start " + binary_);
}

void Broker::kill() {
    if (process_ < 0) return;
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
    process_ = -1;
}

void Broker::pause() {
    ::kill(process_, SIGSTOP);
}
void Broker::resume() {
    ::kill(process_, SIGCONT);
}
void Broker::wipe() {
    fs::remove_all(folder_ / "store");
}

void Broker::save() {
    fs::remove_all(folder_ / "saved");
    fs::copy(folder_ / "store", folder_ / "saved", fs::copy_options::recursive);
}

void Broker::restore() {
    wipe();
    fs::copy(folder_ / "saved", folder_ / "store", fs::copy_options::recursive);
}

void Broker::bootstrap() {
    bus::Address address;
    address.url = url();
    bus::NatsClient client(address, "bootstrap");
    for (const bus::Asset& asset : bus::assets(1, 0)) {
        // JetStream may need a moment after the port opens.
        const bool made = eventually([&] {
            try {
                const std::string answer = client.request_text(
                    "$JS.API.STREAM.CREATE." + asset.stream, asset.config, std::chrono::seconds(5));
                const auto json = nlohmann::json::parse(answer);
                if (!json.contains("error")) return true;
                throw std::runtime_error(asset.stream + ": " + answer);
            } catch (const bus::NoAnswer&) {
                return false;
            }
        });
        if (!made) throw std::runtime_error("cannot make " + asset.stream);
    }
}

}  // namespace saga::testing
