// The checkers, on real services and real nats-servers: what befalls them leaves no violation.
#include "saga/verify/verify.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "saga/runtime/contract_json.hpp"
#include "saga/runtime/stream_view.hpp"
#include "tests/integration/stage.hpp"

using namespace saga;
using namespace saga::testing;

namespace {

verify::Landscape seen(Landscape& l) {
    verify::Landscape all;
    const std::vector<std::pair<Instance*, Service>> services{
        {&*l.asking, asker()}, {&*l.granting, granter()}, {&*l.auditing, auditor()}};
    for (const auto& [instance, service] : services)
        all.services.push_back({service.contract().service, instance->store().db().handle(),
                                nlohmann::json::parse(runtime::contract_json(service.contract()))});
    runtime::StreamView view(address_of(l.broker));
    view.read_stored({}, [&](const bus::StoredMessage& stored) {
        all.stream.push_back({stored.seq, stored.subject, stored.stored_at, stored.bytes});
        return true;
    });
    return all;
}

/// Drives all to rest, with so many sagas at their end; what is wrong then, as lines.
std::string wrong(Landscape& l, std::int64_t sagas, const verify::Options& options = {}) {
    const auto at = [](Instance& each) { return each.value("SELECT seq FROM cursor"); };
    REQUIRE(l.drive_all([&] {
        return ended(*l.asking) == sagas && l.at_rest() && at(*l.asking) == at(*l.granting) &&
               at(*l.asking) == at(*l.auditing);
    }));
    std::string lines;
    for (const verify::Violation& each : verify::check(seen(l), options))
        lines += fmt::format("{} {} {}: {}\n", each.invariant, each.service, each.saga, each.what);
    return lines;
}

void ask_some(Landscape& l, const std::string& name, int many) {
    for (int i = 0; i < many; ++i) l.ask(fmt::format("{}{}", name, i), i % 4 == 3 ? 13 : 1);
}

}  // namespace

TEST_CASE("verify: services and the broker may die at any moment") {
    on_each_landscape([](Landscape& l) {
        for (int i = 0; i < 6; ++i) {
            ask_some(l, fmt::format("t{}-", i), 4);
            l.granting->kill();
            l.start_granter();
            if (i % 3 == 2) {
                l.broker.kill();
                l.broker.start();
            }
            REQUIRE(l.drive_all([&] { return l.ready(); }));
            for (const verify::Violation& each : verify::check(seen(l), {.at_rest = false}))
                CHECK(each.what == "");
        }
        CHECK(wrong(l, 24) == "");
    });
}

TEST_CASE("verify: the broker may lose its store, and go back") {
    on_each_landscape([](Landscape& l) {
        ask_some(l, "before", 8);
        REQUIRE(l.drive_all([&] { return l.ready(); }));
        l.broker.kill();
        l.broker.wipe();
        l.broker.start();
        l.broker.bootstrap();
        for (Instance* each : l.all()) each->turn();
        REQUIRE(l.drive_all([&] { return l.ready(); }));
        ask_some(l, "after", 4);
        CHECK(wrong(l, 12) == "");

        l.broker.kill();
        l.broker.save();
        l.broker.start();
        ask_some(l, "lost", 4);
        REQUIRE(l.drive_all([&] { return ended(*l.asking) == 16 && l.at_rest(); }));
        l.broker.kill();
        l.broker.restore();
        l.broker.start();
        ask_some(l, "new", 4);
        CHECK(wrong(l, 20) == "");
    });
}

TEST_CASE("verify: a service may be restored") {
    on_each_landscape([](Landscape& l) {
        ask_some(l, "before", 4);
        REQUIRE(l.drive_all([&] { return ended(*l.asking) == 4 && l.at_rest(); }));
        save(l, *l.granting);
        ask_some(l, "after", 4);
        REQUIRE(l.drive_all([&] { return ended(*l.asking) == 8 && l.at_rest(); }));
        l.granting->kill();
        restore(l, "granter");
        l.start_granter();
        REQUIRE(l.drive_all([&] { return l.ready(); }));
        ask_some(l, "next", 4);
        CHECK(wrong(l, 12, {.unordered = {"granter"}}) == "");
    });
}

TEST_CASE("verify: a stream that lost an event behind everybody's back is refuted") {
    on_each_landscape([](Landscape& l) {
        ask_some(l, "t", 4);
        CHECK(wrong(l, 4) == "");
        verify::Landscape all = seen(l);
        all.stream.erase(all.stream.begin() + 3);
        CHECK_FALSE(verify::check(all, {}).empty());
    });
}
