#include "saga/bus/nats_options.hpp"

#include <fmt/format.h>
#include <sched.h>

#include <mutex>
#include <thread>
#include <vector>

#include "saga/bus/nkey.hpp"

namespace saga::bus {
namespace {

/// nats.c frees messages on a thread of its own (natsGC_collect in its nats.c), which the first one
/// wakes. On a full processor it took the place of ours for each message that we were through with,
/// and found one at a time. Threads inherit how their maker is scheduled: as SCHED_BATCH (sched(7))
/// they wait until ours sleeps or its time is over, and find many. Where that is refused all is as
/// it was.
void open_library() {
    static std::once_flag once;
    std::call_once(once, [] {
        std::thread([] {
            const sched_param none{};
            ::sched_setscheduler(0, SCHED_BATCH, &none);  // 0: the calling thread
            nats_Open(-1);  // -1: it spins as it likes; if it fails, so does what comes next
        }).join();
    });
}

}  // namespace

std::string describe(natsStatus status) {
    natsStatus last = status;
    const char* text = nats_GetLastError(&last);
    const std::string_view known = natsStatus_GetText(status);
    if (last != status || text == nullptr) return std::string(known);
    std::string_view more = text;
    const auto place = more.find("): ");  // "(conn.c:2088): ", of nats.c's own source
    if (more.starts_with('(') && place != std::string_view::npos) more.remove_prefix(place + 3);
    return more.empty() || more == known ? std::string(known) : fmt::format("{} ({})", known, more);
}

void check(natsStatus status, std::string_view doing) {
    if (status != NATS_OK) throw Error(fmt::format("{}: {}", doing, describe(status)));
}

Nats<natsOptions> options_for(const Address& address, const std::string& name) {
    open_library();
    natsOptions* made = nullptr;
    check(natsOptions_Create(&made), "cannot set up nats.c");
    Nats<natsOptions> options(made);
    std::vector<std::string> urls;
    std::string_view rest = address.url;
    while (!rest.empty()) {
        const auto comma = rest.find(',');
        if (comma != 0) urls.emplace_back(rest.substr(0, comma));
        rest = comma == std::string_view::npos ? std::string_view{} : rest.substr(comma + 1);
    }
    std::vector<const char*> servers;
    for (const std::string& url : urls) servers.push_back(url.c_str());
    check(natsOptions_SetServers(made, servers.data(), static_cast<int>(servers.size())),
          fmt::format("\"{}\" is no address of a nats-server", address.url));
    natsOptions_SetName(made, name.c_str());
    natsOptions_SetTimeout(made, address.timeout.count());
    natsOptions_SetAllowReconnect(made, false);
    natsOptions_SetIgnoreDiscoveredServers(made, true);
    natsOptions_SetSendAsap(made, true);
    if (!address.user.empty())
        natsOptions_SetUserInfo(made, address.user.c_str(), address.password.c_str());
    if (!address.token.empty()) natsOptions_SetToken(made, address.token.c_str());
    if (!address.creds.empty())
        check(natsOptions_SetUserCredentialsFromFiles(made, address.creds.c_str(), nullptr),
              "cannot use the credentials " + address.creds);
    if (!address.nkey.empty())
        check(natsOptions_SetNKeyFromSeed(made, public_nkey(address.nkey).c_str(),
                                          address.nkey.c_str()),
              "cannot use the NKey seed " + address.nkey);
    if (!address.ca.empty() || !address.cert.empty()) {
        check(natsOptions_SetSecure(made, true), "this build of nats.c has no TLS");
        if (!address.ca.empty())
            check(natsOptions_LoadCATrustedCertificates(made, address.ca.c_str()),
                  "cannot use the certificates " + address.ca);
        if (!address.cert.empty())
            check(
                natsOptions_LoadCertificatesChain(made, address.cert.c_str(), address.key.c_str()),
                "cannot use the certificate " + address.cert);
    }
    return options;
}

std::string_view text_of(natsMsg* message) {
    return {natsMsg_GetData(message), static_cast<std::size_t>(natsMsg_GetDataLength(message))};
}

std::vector<std::byte> bytes_of(natsMsg* message) {
    const auto* begin = reinterpret_cast<const std::byte*>(natsMsg_GetData(message));
    return {begin, begin + natsMsg_GetDataLength(message)};
}

std::string_view header(natsMsg* message, const char* name) {
    const char* value = nullptr;
    return natsMsgHeader_Get(message, name, &value) == NATS_OK && value != nullptr
               ? std::string_view(value)
               : std::string_view();
}

}  // namespace saga::bus
