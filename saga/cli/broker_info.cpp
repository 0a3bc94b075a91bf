#include "saga/cli/broker_info.hpp"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "saga/cli/buckets.hpp"
#include "saga/cli/process.hpp"

namespace saga::cli {
namespace {

constexpr std::size_t kLongestInfo = 64 * 1024;

bool ready(int socket, short what, std::chrono::steady_clock::time_point until) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        until - std::chrono::steady_clock::now());
    pollfd one{socket, what, 0};
    return left.count() > 0 && ::poll(&one, 1, static_cast<int>(left.count())) == 1;
}

/// A connected socket, or why there is none.
struct Connected {
    Descriptor socket;
    std::string trouble;
};
Connected connected(const addrinfo& address, std::chrono::steady_clock::time_point until) {
    Descriptor socket(::socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) return {Descriptor(), std::strerror(errno)};
    if (::connect(socket.get(), address.ai_addr, address.ai_addrlen) != 0 && errno != EINPROGRESS)
        return {Descriptor(), std::strerror(errno)};
    if (!ready(socket.get(), POLLOUT, until)) return {Descriptor(), "nobody answers in time"};
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return {Descriptor(), std::strerror(error)};
    return {std::move(socket), {}};
}

/// The inode of the socket that listens on a port, from the kernel's table of them.
std::string listening_inode(const char* table, std::uint16_t port) {
    constexpr std::string_view kListens = "0A";
    std::ifstream file(table);
    std::string line;
    const std::string end = fmt::format(":{:04X}", port);
    while (std::getline(file, line)) {
        std::istringstream fields(line);
        std::string number, local, remote, state, queues, timer, retransmits, user, timeout, inode;
        fields >> number >> local >> remote >> state >> queues >> timer >> retransmits >> user >>
            timeout >> inode;
        if (local.ends_with(end) && state == kListens) return inode;
    }
    return {};
}

bool holds(const std::filesystem::path& process, const std::string& socket) {
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator(process / "fd", none))
        if (std::filesystem::read_symlink(entry.path(), none).string() == socket) return true;
    return false;
}

}  // namespace

std::optional<BrokerInfo> parse_info(std::string_view line) {
    if (!line.starts_with("INFO ")) return std::nullopt;
    const auto json = read_json(line.substr(5));
    if (!json.is_object()) return std::nullopt;
    return BrokerInfo{.version = field<std::string>(json, "version", ""),
                      .name = field<std::string>(json, "server_name", ""),
                      .jetstream = field(json, "jetstream", false),
                      .tls = field(json, "tls_required", false),
                      .auth = field(json, "auth_required", false),
                      .max_payload = field(json, "max_payload", std::uint64_t{0})};
}

std::optional<Endpoint> endpoint_of(std::string_view url) {
    url = url.substr(0, url.find(','));
    if (const auto scheme = url.find("://"); scheme != std::string_view::npos)
        url.remove_prefix(scheme + 3);
    if (const auto user = url.rfind('@'); user != std::string_view::npos)
        url.remove_prefix(user + 1);
    url = url.substr(0, url.find('/'));
    Endpoint endpoint;
    auto colon = url.rfind(':');
    if (url.starts_with('[')) {  // an IPv6 address
        const auto close = url.find(']');
        if (close == std::string_view::npos) return std::nullopt;
        endpoint.host = url.substr(1, close - 1);
        colon = url.find(':', close);
    } else {
        endpoint.host = url.substr(0, colon);
    }
    if (endpoint.host.empty()) return std::nullopt;
    if (colon == std::string_view::npos) return endpoint;
    const std::string_view port = url.substr(colon + 1);
    const auto [end, error] =
        std::from_chars(port.data(), port.data() + port.size(), endpoint.port);
    if (error != std::errc{} || end != port.data() + port.size()) return std::nullopt;
    return endpoint;
}

Greeting greet(const Endpoint& endpoint, std::chrono::milliseconds timeout) {
    const auto begun = std::chrono::steady_clock::now();
    const auto until = begun + timeout;
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const int failed =
        ::getaddrinfo(endpoint.host.c_str(), std::to_string(endpoint.port).c_str(), &hints, &found);
    if (failed != 0) return {std::nullopt, ::gai_strerror(failed)};
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owned(found, &::freeaddrinfo);
    Connected connection;
    for (const addrinfo* each = found; each != nullptr && !connection.socket; each = each->ai_next)
        connection = connected(*each, until);
    if (!connection.socket) return {std::nullopt, connection.trouble};
    std::string text;
    while (text.find('\n') == std::string::npos && text.size() < kLongestInfo) {
        std::array<char, 4096> part{};
        if (!ready(connection.socket.get(), POLLIN, until))
            return {std::nullopt, "it accepts connections and says nothing"};
        const ssize_t size = ::recv(connection.socket.get(), part.data(), part.size(), 0);
        if (size <= 0) return {std::nullopt, "it closes the connection at once"};
        text.append(part.data(), static_cast<std::size_t>(size));
    }
    auto info = parse_info(std::string_view(text).substr(0, text.find('\n')));
    if (!info) return {std::nullopt, "what listens there is no nats-server"};
    info->round_trip = std::chrono::steady_clock::now() - begun;
    return {std::move(info), {}};
}

std::string who_listens(std::uint16_t port) {
    std::string inode = listening_inode("/proc/net/tcp", port);
    if (inode.empty()) inode = listening_inode("/proc/net/tcp6", port);
    if (inode.empty()) return {};
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator("/proc", none)) {
        const std::string pid = entry.path().filename().string();
        if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
        if (!holds(entry.path(), fmt::format("socket:[{}]", inode))) continue;
        std::string name;
        std::getline(std::ifstream(entry.path() / "comm"), name);
        return fmt::format("process {} ({})", pid, name);
    }
    return {};
}

std::optional<std::uint16_t> free_port(std::uint16_t wanted) {
    const Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int yes = 1;  // as nats-server does: one that was just closed is free
    ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(wanted);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
        ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
        return std::nullopt;
    return ntohs(address.sin_port);
}

}  // namespace saga::cli
