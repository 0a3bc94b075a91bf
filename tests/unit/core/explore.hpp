// Explores everything that can happen to one saga in a landscape of services, each of them the real
// core::Saga on a database in memory.
//
// Breadth first over: the order in which each service reads what was published, every outcome of
// every handler, answers, deadlines, retries, clients and operators at any moment. Any event may be
// read again at any later moment, as often as it likes: that runs nothing, or it is a violation.
//
// A service's rules see its own database and one item, nothing else. So each of its states is
// worked out once, however many states of the whole landscape it stands in; a state of the whole is
// one number for each service, and what is on its way follows from what was published and read.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/unit/core/declared.hpp"
#include "tests/unit/core/memory.hpp"

namespace saga::test {

/// What a client can have a service publish: once, at any moment after `after`.
struct ByClient {
    std::string service, event, after;  ///< `after` empty: it begins the saga
};

struct Landscape {
    std::vector<Declared> services;
    std::vector<ByClient> clients;

    /// Handlers that decide by their database ("run stop"): true is success. All others may come
    /// out each way at any time.
    std::map<std::string, std::function<bool(const Stored&)>> decides;
    /// Handlers that may throw, or say later(), at any attempt. Attempts between the first and the
    /// last are alike, so two stand for all: then it is dead.
    std::set<std::string> throws, says_later;
    bool careful = false;                 ///< All services come from an unclean stop.
    bool calls_die = false;               ///< Any call may be left unanswered for ever.
    std::set<core::Operation> operators;  ///< What is done to the dead, at any moment.

    /// A rule broken on purpose: the first role of a failure waits like any other event.
    bool failure_waits = false;
};

struct Report {
    std::size_t states = 0, service_states = 0, moves = 0;
    bool complete = true;             ///< False: there were more states than allowed.
    std::map<std::string, int> ends;  ///< "confirmed", "failed", "waits for an operator"
    /// What is wrong, with the shortest way there.
    std::map<std::string, std::vector<std::string>> violations;

    std::string text() const;
};

/// Violations: confirmed and failed; a failed saga with a step standing; a path that comes to no
/// end; forward work after a failure was delivered; work on a second reading; an event published
/// twice; what is stored is not what the rules believe; what the database would refuse.
Report explore(const Landscape& landscape, std::size_t most_states = 2'000'000);

}  // namespace saga::test
