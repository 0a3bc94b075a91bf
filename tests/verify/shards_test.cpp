// A service in shards: its databases together are judged as its one was.
#include <fmt/format.h>

#include <filesystem>

#include "saga/store/reshard.hpp"
#include "tests/landscape/landscape.hpp"
#include "tests/unit/store/fixture.hpp"
#include "tests/verify/damage.hpp"

using namespace saga::testing;
using saga::core::Instance;
using saga::core::Shard;
using saga::verify::Landscape;
namespace store = saga::store;

namespace {

/// The small village, after granter was moved into two shards.
struct Split {
    Split() {
        Village& village = small_village();
        const std::string whole = folder.file("granter.db");
        village.exec("granter", fmt::format("VACUUM INTO '{}'", whole));
        {
            store::Store store(saga::test::at(whole), contract.tables);
            store.db().begin();
            store.meta.set(store::Meta::kClean, 1);
            store.db().exec("UPDATE cursor SET created = 1");
            store.db().commit();
        }
        for (unsigned nth = 0; nth < 2; ++nth) {
            auto& shard = shards.emplace_back(std::make_unique<store::Store>(
                saga::test::at(folder.file(name(nth) + ".db")), contract.tables));
            store::take_sagas(*shard, {nth, 2}, std::vector{whole}, contract.by_saga);
        }
    }
    static std::string name(unsigned nth) { return Instance{"granter", {nth, 2}}.name(); }

    Landscape landscape() {
        Landscape all = small_village().landscape();
        const auto at =
            std::ranges::find(all.services, "granter", &saga::verify::ServiceView::service);
        const auto contract_json = at->contract;
        all.services.erase(at);
        for (unsigned nth = 0; nth < 2; ++nth)
            all.services.push_back({name(nth), shards[nth]->db().handle(), contract_json});
        return all;
    }
    std::string said(Landscape all) { return lines(saga::verify::check(all, {})); }
    /// Which of the shards has the saga.
    store::Database& of(std::string_view saga) { return shards[Shard{1, 2}.takes(saga)]->db(); }
    store::Database& not_of(std::string_view saga) { return shards[Shard{0, 2}.takes(saga)]->db(); }

    saga::test::Folder folder;
    saga::Service service = granter();
    const saga::Contract& contract = service.contract();
    std::vector<std::unique_ptr<store::Store>> shards;
};

}  // namespace

TEST_CASE("verify: shards that together have what the service had are right") {
    Split split;
    CHECK(split.said(split.landscape()) == "");
}

TEST_CASE("verify: a saga that its shard has lost is missed, and so is an event") {
    Split split;
    split.of("undone-1")
        .exec(
            "DELETE FROM journal WHERE saga IN (SELECT saga FROM sagas WHERE id "
            "= 'undone-1'); DELETE FROM sagas WHERE id = 'undone-1'");
    CHECK(split.said(split.landscape()).find("I7") != std::string::npos);
    Split other;
    other.of("held-1").exec(
        "DELETE FROM outbox WHERE saga IN (SELECT saga FROM sagas WHERE id = "
        "'held-1')");
    CHECK(other.said(other.landscape()).find("never published it") != std::string::npos);
}

TEST_CASE("verify: a saga in the wrong shard is told") {
    Split split;
    split.not_of("held-1").exec("INSERT INTO sagas (id, started, touched) VALUES ('held-1', 1, 1)");
    CHECK(split.said(split.landscape()).find("has the saga, which is another's") !=
          std::string::npos);
}

TEST_CASE("verify: two databases of one shard, or of two splits, are no landscape") {
    Split split;
    for (const char* name : {"granter-0-of-2", "granter", "granter-1-of-3"}) {
        CAPTURE(name);
        Landscape all = split.landscape();
        all.services.back().service = name;
        CHECK_THROWS_WITH_AS(saga::verify::check(all, {}),
                             "two databases are of the service granter", saga::Error);
    }
}
