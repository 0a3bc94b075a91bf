// A broker, the three services of the test landscape, and somebody who asks `saga` about them.
#pragma once

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "tests/cli/program.hpp"
#include "tests/landscape/landscape.hpp"

namespace saga::testing {

struct Town {
    /// With its streams, nobody there yet.
    explicit Town(const std::string& binary, const std::string& extra = {});

    /// asker, granter and auditor, ready, each with its contract published.
    void open();
    std::vector<Instance*> all();
    bool drive_all(const std::function<bool()>& met);

    /// `saga`, while the services work.
    Ran saga(std::vector<std::string> args, std::string input = {});
    /// With --json: what it printed, which must be JSON.
    nlohmann::json json(std::vector<std::string> args);

    /// A request of JetStream's API or of a service, whose answer is JSON.
    nlohmann::json request(const std::string& subject, const std::string& body);
    /// Asks asker for a ticket, until the saga's first event is accepted.
    void ask(const std::string& ticket, int amount);
    /// Every saga has come as far as it can, and every event was read back.
    bool at_rest();
    /// A ticket whose grant fails until mend() was called, and has made its last attempt.
    void make_dead(const std::string& ticket);
    void mend(const std::string& ticket);
    /// What granter tries again has made its last attempt.
    void use_up();
    /// Publishes what is no event, as one of granter's reads; granter puts it aside.
    void publish_junk();
    void put(const std::string& bucket, const std::string& key, const std::string& value);

    Broker broker;
    TempFolder folder;
    std::optional<Instance> asking, granting, auditing;
};

template <class Test>
void in_each_town(Test test) {
    for (const std::string& binary : servers()) {
        CAPTURE(binary);
        Town town(binary);
        town.open();
        test(town);
    }
}

}  // namespace saga::testing
