// What the tests of the engine stand on: the small landscape on a broker of its own, what clients
// and operators ask of it, what strangers put into its stream.
#pragma once

#include <doctest/doctest.h>

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "saga/core/envelope.hpp"
#include "tests/integration/instance.hpp"
#include "tests/integration/process.hpp"
#include "tests/landscape/landscape.hpp"

namespace saga::testing {

using namespace std::chrono_literals;

bus::Address address_of(const Broker& broker);

/// Asks on `subject`, from a connection of its own, turning everybody until there is an answer;
/// asks again while the service is unavailable, as clients do. Empty: none came.
std::string request(const Broker& broker, const std::vector<Instance*>& all,
                    const std::string& subject, std::string_view body);
/// Asks asker for a ticket.
std::string ask(const Broker& broker, const std::vector<Instance*>& all, const std::string& ticket,
                int amount);
/// Of the broker's own API: throws what it refuses.
std::string api(const Broker& broker, const std::string& subject, std::string_view body);
/// Puts a message into the stream as anybody could: its sequence, or 0 when it was refused.
std::uint64_t inject(const Broker& broker, const std::string& subject, Bytes bytes,
                     const core::Headers& headers = {});
/// As inject, under the subject that the envelope asks for.
std::uint64_t inject(const Broker& broker, const core::Envelope& envelope);
/// How often each event name, and each event id, stands in the stream.
struct Counted {
    std::map<std::string, int> names, ids;
    int total = 0;
};
Counted count_stream(const Broker& broker);
/// The last words in the stream: event name by saga.
std::map<std::string, std::string> ends(const Broker& broker);
std::int64_t ended(Instance& asker);
EventId any_id(std::uint8_t nth);

/// asker, granter and auditor on one broker.
struct Landscape {
    explicit Landscape(const std::string& binary, Service the_auditor = auditor(),
                       Instance::Options its = {});
    void start();
    void start_asker() { asking.emplace(asker(), folder.path(), broker.url()); }
    void start_granter() { granting.emplace(granter(), folder.path(), broker.url()); }
    void start_auditor() { auditing.emplace(check, folder.path(), broker.url(), checks); }
    std::vector<Instance*> all();
    bool ready() { return asking->ready() && granting->ready() && auditing->ready(); }
    bool drive_all(const std::function<bool()>& met, std::chrono::milliseconds limit = 20s);
    std::string ask(const std::string& ticket, int amount);
    /// Nothing is on its way any more: every outbox is read back, every saga at its end.
    bool at_rest();
    std::string file(const std::string& service) const { return folder / (service + ".db"); }

    Broker broker;
    TempFolder folder;
    Service check;
    Instance::Options checks;
    std::optional<Instance> asking, granting, auditing;
};

/// A copy of a running instance's database.
void copy_database(Instance& instance, const std::string& path);
/// A backup of a service's database, and back to it while the service is down.
void save(Landscape& landscape, Instance& instance);
void restore(Landscape& landscape, const std::string& service);

/// The auditor as a process, see victim.cpp; what a service that is down has left.
Process victim(const Landscape& landscape, const std::vector<std::string>& variables = {});
std::int64_t left(const Landscape& landscape, const std::string& service, std::string_view select);

template <class Test>
void on_each_server(Test test) {
    for (const std::string& binary : servers()) {
        CAPTURE(binary);
        test(binary);
    }
}

template <class Test>
void on_each_landscape(Test test) {
    on_each_server([&](const std::string& binary) {
        Landscape landscape(binary);
        test(landscape);
    });
}

}  // namespace saga::testing
