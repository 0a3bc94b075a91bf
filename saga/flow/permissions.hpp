// Who may say and hear what on the broker: least privilege, worked out of contracts.
// docs/operating.md says how it is used; the subjects are those of docs/protocol.md.
#pragma once

#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "saga/flow/contract.hpp"

namespace saga::flow {

/// A user of the broker and what it is permitted; everything else is denied.
struct User {
    enum class Role : std::uint8_t {
        service,
        outside,   ///< a program that answers calls
        client,    ///< a program that sends commands and asks questions
        observer,  ///< `saga`, to look
        op,        ///< `saga`, to look, to act, and to make streams
    };
    std::string name;
    Role role = Role::service;
    std::string inbox;                            ///< what its inboxes begin with: "_SAGA.payment"
    std::vector<std::string> publish, subscribe;  ///< sorted, each once
    std::vector<std::string> publish_never;       ///< of what `publish` would permit
};

inline constexpr std::string_view kOperator = "operator", kObserver = "observer";

/// The programs beside the services, and the subjects of calls that no contract names.
struct Programs {
    using Words = std::map<std::string, std::set<std::string>>;
    Words clients;  ///< and the requests that each may send, as "order.place"; none: all
    Words answers;  ///< each program that answers calls, and on which subjects
    Words asks;     ///< who asks there, service or program: "payment" on "bank.charge"
    /// Services that run in shards, and in how many; several numbers while they are moved.
    std::map<std::string, std::set<unsigned>> shards;
};

/// One user for each service, program, `operator` and `observer`, in the order of roles and names.
/// Several contracts of a service are its releases: it may publish what any of them declares, since
/// an outbox is sent again after a release. Throws Error where a name is no token of a subject, is
/// used twice, or is nobody's.
std::vector<User> users_of(std::span<const Contract> contracts, const Programs& programs);

/// Of each user, by its name, the public NKey ("U...").
using Keys = std::map<std::string, std::string>;
/// For nats-server's configuration: `authorization { users = [...] }`. Every user has a key.
std::string to_config(std::span<const User> users, const Keys& keys);
/// The same as JSON; `nkey` is empty where there is no key.
std::string to_json(std::span<const User> users, const Keys& keys);

}  // namespace saga::flow
