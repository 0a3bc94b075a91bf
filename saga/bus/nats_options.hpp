// How to reach the broker, and nats.c's statuses as exceptions.
#pragma once

#include <nats/nats.h>

#include <memory>
#include <saga/address.hpp>
#include <saga/error.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace saga::bus {

using saga::Address;

/// Throws saga::Error: `doing` and nats.c's own words.
void check(natsStatus status, std::string_view doing);
std::string describe(natsStatus status);

struct DestroyNats {
    void operator()(natsOptions* options) const { natsOptions_Destroy(options); }
    void operator()(natsConnection* connection) const { natsConnection_Destroy(connection); }
    void operator()(natsSubscription* subscription) const {
        natsSubscription_Destroy(subscription);
    }
    void operator()(natsMsg* message) const { natsMsg_Destroy(message); }
};
template <class T>
using Nats = std::unique_ptr<T, DestroyNats>;

/// Options for this address, with `name` as the connection's. Never reconnects by itself: what an
/// old connection had buffered must not be sent by a new one.
Nats<natsOptions> options_for(const Address& address, const std::string& name);

/// A message's body, for as long as it lives; and copied.
std::string_view text_of(natsMsg* message);
std::vector<std::byte> bytes_of(natsMsg* message);

/// A header's value, or empty; names are matched to the letter.
std::string_view header(natsMsg* message, const char* name);

}  // namespace saga::bus
