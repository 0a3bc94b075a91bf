// The landscape with granter in shards.
#pragma once

#include <fmt/format.h>

#include <future>
#include <memory>
#include <nlohmann/json.hpp>

#include "saga/bus/nats_client.hpp"
#include "saga/core/shard.hpp"
#include "saga/runtime/reshard.hpp"
#include "saga/store/statement.hpp"
#include "tests/integration/stage.hpp"

namespace saga::testing {

inline void exec(Instance& instance, const std::string& sql) {
    store::Statement(instance.store().db(), sql).exec();
}

struct Split {
    explicit Split(const std::string& binary) : l(binary) {
        REQUIRE(l.drive_all([&] { return l.ready(); }));
    }
    Landscape l;
    std::vector<std::unique_ptr<Instance>> shards;

    std::unique_ptr<Instance> shard(unsigned nth, unsigned of) {
        Instance::Options options;
        options.worker.shard = {nth, of};
        options.contract = "{}";
        return std::make_unique<Instance>(granter(), l.folder.path(), l.broker.url(), options);
    }
    std::vector<Instance*> all() {
        std::vector<Instance*> there = l.all();
        for (const auto& each : shards) there.push_back(each.get());
        return there;
    }
    /// All sagas of granter's databases in the folder, which has been stopped.
    void move(unsigned to) {
        const Service service = granter();
        runtime::reshard(service.contract(), {address_of(l.broker), l.folder.path(), to},
                         [](const std::string&) {});
    }
    std::string moved(unsigned to) {
        try {
            move(to);
        } catch (const Error& failure) {
            return failure.what();
        }
        return "";
    }
    void stop_granter() {
        l.granting->stop();
        l.granting.reset();
    }
    void start(unsigned of) {
        for (unsigned nth = 0; nth < of; ++nth) shards.push_back(shard(nth, of));
        REQUIRE(drive(all(), [&] {
            return std::all_of(shards.begin(), shards.end(),
                               [](const auto& each) { return each->ready(); });
        }));
    }
    void stop() {
        for (const auto& each : shards) each->stop();
        shards.clear();
    }
    /// Asks for so many tickets, which all end.
    void ask(const std::string& name, int count) {
        for (int i = 0; i < count; ++i)
            testing::ask(l.broker, all(), fmt::format("{}{}", name, i), 1);
        asked += count;
        REQUIRE(drive(all(), [&] { return ended(*l.asking) == asked; }));
    }
    void each_has_its_own() {
        std::int64_t sum = 0;
        for (std::size_t nth = 0; nth < shards.size(); ++nth) {
            const core::Shard shard{static_cast<unsigned>(nth),
                                    static_cast<unsigned>(shards.size())};
            store::Statement sagas(shards[nth]->store().db(), "SELECT id FROM sagas");
            store::Rows rows = sagas.query();
            while (rows.next()) CHECK_MESSAGE(shard.takes(rows.text(0)), rows.text(0));
            sum += shards[nth]->value("SELECT ifnull(sum(amount), 0) FROM grants");
        }
        CHECK(sum == asked);
        const Counted counted = count_stream(l.broker);
        CHECK(counted.names.at("Granted") == asked);
        for (const auto& each : counted.ids) CHECK_MESSAGE(each.second == 1, each.first);
    }
    std::string said(const std::string& subject, std::string_view body) {
        return request(l.broker, all(), subject, body);
    }
    /// The only answer that comes.
    nlohmann::json alone(const std::string& subject, const std::string& body) {
        auto asking = std::async(std::launch::async, [&] {
            bus::NatsClient client(address_of(l.broker), "a client");
            return client.request_many(subject, body, 500ms);
        });
        REQUIRE(drive(all(), [&] { return asking.wait_for(0s) == std::future_status::ready; }));
        const std::vector<std::string> answers = asking.get();
        REQUIRE(answers.size() == 1);
        return nlohmann::json::parse(answers.front());
    }
    /// A ticket whose grant has failed as often as it may.
    void make_dead(Instance& shard, const std::string& ticket) {
        exec(shard, fmt::format("INSERT INTO grants VALUES ('{}', 0)", ticket));
        testing::ask(l.broker, all(), ticket, 1);
        REQUIRE(drive(all(), [&] { return shard.value("SELECT count(*) FROM parked") == 1; }));
        exec(shard, "UPDATE parked SET attempts = 1000");
        REQUIRE(drive(all(), [&] {
            return nlohmann::json::parse(shard.node().state_json()).value("dead", 0) == 1;
        }));
    }
    int asked = 0;
};

template <class Test>
void on_each_split(Test test) {
    on_each_server([&](const std::string& binary) {
        Split split(binary);
        test(split);
    });
}

}  // namespace saga::testing
