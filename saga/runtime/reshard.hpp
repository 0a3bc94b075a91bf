// Another number of shards for a service that is stopped.
#pragma once

#include <functional>
#include <saga/service.hpp>
#include <string>

#include "saga/bus/nats_options.hpp"
#include "saga/core/shard.hpp"

namespace saga::runtime {

struct Reshard {
    bus::Address address;
    std::string data;  ///< the folder with the databases of all its shards, and its key
    unsigned to = 1;
};

/// Moves every saga of a service from its databases into new ones for `to` shards beside them. The
/// service's entry in SAGA_OWNERS is what decides: until it says so, the old databases are the
/// service's, and from then on the new ones. Stopped anywhere, it is run again and does the rest.
/// `say` is told in one line how far it is. Throws Error, in one sentence that says what to do;
/// nothing is lost then.
void reshard(const Contract& contract, const Reshard& wanted,
             const std::function<void(const std::string&)>& say);

/// Throws Error where `folder` has databases of the service in another number of shards: a new one
/// beside them would know nothing of their sagas.
void require_alone(const core::Instance& self, const std::string& folder);

}  // namespace saga::runtime
