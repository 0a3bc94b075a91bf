// How the shop's client reaches its services.
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include "services/shop/command.hpp"

using namespace shop;

namespace {

/// A port of this machine on which nobody listens, for as long as it lives.
class DeafPort {
  public:
    DeafPort() : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        auto* any = reinterpret_cast<sockaddr*>(&address);
        REQUIRE(::bind(socket_, any, size) == 0);
        REQUIRE(::getsockname(socket_, any, &size) == 0);
        number_ = ntohs(address.sin_port);
    }
    ~DeafPort() { ::close(socket_); }
    DeafPort(const DeafPort&) = delete;
    DeafPort& operator=(const DeafPort&) = delete;
    std::string url() const { return "nats://127.0.0.1:" + std::to_string(number_); }

  private:
    int socket_, number_ = 0;
};

}  // namespace

TEST_CASE("shop: tries to connect again for as long as its patience") {
    const DeafPort port;
    const Options options{.address = {.url = port.url()}, .patience = std::chrono::seconds(1)};
    std::string said;
    try {
        static_cast<void>(options.connect());
    } catch (const Stop& stop) {
        CHECK(stop.code == kUnreachable);
        said = stop.what();
    }
    CAPTURE(said);
    CHECK(said.find("asked again for") != std::string::npos);
}
