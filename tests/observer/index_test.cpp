// What an observer makes of a stream, without a broker.
#include "saga/observer/index.hpp"

#include <doctest/doctest.h>

#include "saga/observer/limits.hpp"
#include "tests/integration/broker.hpp"
#include "tests/observer/tale.hpp"

using namespace saga;
using namespace saga::testing;
using saga::observer::Index;
using saga::observer::Letters;
using saga::view::Course;
using saga::view::Listing;
using saga::view::Wanted;

namespace {

const view::Landscape kKnown = small_landscape();

void judge_all(Index& index, const view::Landscape& landscape = kKnown) {
    while (index.judge(landscape, 2) == 2) {
    }
}
void take(Index& index, const Tale& tale, std::size_t from = 0) {
    index.take(std::span(tale.messages()).subspan(from), tale.last());
}
view::Standing standing(Index& index, const std::string& saga) {
    const auto found = index.find(saga);
    REQUIRE(found);
    return *found;
}
Listing listing(Index& index, const Wanted& wanted, const Letters& letters = {},
                const std::optional<Index::Older>& older = {}) {
    return index.list(wanted, older, kKnown, letters);
}
std::vector<std::string> names(const Listing& listing) {
    std::vector<std::string> found;
    for (const view::Standing& each : listing.sagas) found.push_back(each.saga);
    return found;
}
view::Letter dead(const std::string& saga, const char* what) {
    return {.service = "granter", .id = "1", .saga = saga, .what = what, .state = "dead"};
}
/// All that it tells of these sagas, in a text.
std::string all_of(Index& index) {
    std::string text = std::to_string(index.position().seq);
    for (const view::Standing& each : listing(index, {.since = {}, .limit = 100}).sagas)
        text += "\n" + view::json_of(each).dump() + each.last_event + each.last_because +
                std::to_string(index.events(each.saga, 0, 1'000'000).events.size());
    return text;
}

Tale many() {
    Tale tale;
    tale.tell("held", {"asked", "granted"}).junk().tell("lost", {"asked", "granted", "rejected"});
    tale.tell("held", {"checked", "closed"}).tell("new", {"asked"});
    tale.tell("lost", {"gave_up", "revoked", "revoked"}).tell("half", {"asked", "granted"});
    return tale;
}

}  // namespace

TEST_CASE("index: a saga's course follows from its events and the contracts") {
    const struct {
        std::vector<std::string> words;
        Course course;
        const char *failed_by, *waits_for;
    } kCases[] = {
        {{"asked"}, Course::running, "", "granter (grant)"},
        {{"asked", "granted"}, Course::running, "", "auditor (check)"},
        {{"asked", "granted", "checked"}, Course::running, "", "asker (close)"},
        {{"asked", "granted", "checked", "closed"}, Course::completed, "", ""},
        {{"asked", "granted", "checked", "closed", "rejected"}, Course::completed, "", ""},
        {{"asked", "asked", "granted", "asked"}, Course::running, "", "auditor (check)"},
        {{"asked", "denied"}, Course::undoing, "Denied", "asker (give_up)"},
        {{"asked", "denied", "gave_up"}, Course::undone, "Denied", ""},
        {{"asked", "granted", "rejected"}, Course::undoing, "Rejected", "asker (give_up)"},
        {{"asked", "granted", "rejected", "gave_up"},
         Course::undoing,
         "Rejected",
         "granter (grant)"},
        {{"asked", "granted", "rejected", "gave_up", "revoked"}, Course::undone, "Rejected", ""},
        {{"asked", "granted", "revoked", "rejected", "gave_up"}, Course::undone, "Rejected", ""},
        {{"closed"}, Course::completed, "", ""},
        {{"checked", "granted", "asked"}, Course::running, "", "asker (close)"}};
    for (const auto& each : kCases) {
        Index index(":memory:");
        Tale tale;
        take(index, tale.tell("s", each.words));
        judge_all(index);
        CAPTURE(tale.messages().size());
        const view::Standing found = standing(index, "s");
        CHECK(view::name_of(found.course) == view::name_of(each.course));
        CHECK(found.failed_by == each.failed_by);
        CHECK(found.waits_for == each.waits_for);
        CHECK(found.events == each.words.size());
        CHECK((found.waits_since != Time{}) == !found.waits_for.empty());
    }
}

TEST_CASE("index: what is killed anywhere goes on as if it had not been") {
    const Tale tale = many();
    std::string whole;
    {
        Index index(":memory:");
        take(index, tale);
        judge_all(index);
        whole = all_of(index);
        CHECK(index.junk() == 1);
    }
    for (std::size_t at = 0; at <= tale.last(); ++at) {
        const TempFolder folder;
        {
            Index index(folder / "observer.db");
            index.take(std::span(tale.messages()).first(at), at);
            if (at % 2 == 0) judge_all(index);
        }
        Index index(folder / "observer.db");
        CHECK(index.position().seq == at);
        take(index, tale, at);
        judge_all(index);
        CHECK(all_of(index) == whole);
        CHECK(index.junk() == 1);
    }
}

TEST_CASE("index: a transaction that fails leaves rows and position as they were") {
    Index index(":memory:");
    Tale tale;
    take(index, tale.tell("held", {"asked"}));
    judge_all(index);
    const std::string before = all_of(index);
    const std::vector<bus::StoredMessage> twice{told("other", "asked", 2),
                                                told("held", "granted", 2)};
    CHECK_THROWS_AS(index.take(twice, 2), Error);
    CHECK(all_of(index) == before);
    CHECK_FALSE(index.find("other"));
    take(index, tale.tell("held", {"granted"}), 1);
    CHECK(standing(index, "held").events == 2);
}

TEST_CASE("index: another stream begins with nothing") {
    Index index(":memory:");
    take(index, many());
    const core::StoreTime made(std::chrono::seconds(5));
    index.begin_again({.created = made, .seq = 40});
    CHECK(index.position().created == made);
    CHECK(index.position().seq == 40);
    CHECK(index.junk() == 0);
    CHECK_FALSE(index.find("held"));
    CHECK(listing(index, {.since = {}}).counts.empty());
    const std::vector<bus::StoredMessage> next{told("held", "asked", 41)};
    index.take(next, 41);
    judge_all(index);
    CHECK(standing(index, "held").course == Course::running);
}

TEST_CASE("index: lists the latest, by state, in pages") {
    Index index(":memory:");
    take(index, many());
    judge_all(index);
    const Listing all = listing(index, {.since = {}});
    CHECK(all.sagas.size() == 4);
    CHECK(all.matching == 4);
    CHECK(all.counts == std::map<Course, std::size_t>{
                            {Course::running, 2}, {Course::completed, 1}, {Course::undone, 1}});
    for (std::size_t i = 1; i < all.sagas.size(); ++i)
        CHECK(all.sagas[i - 1].started >= all.sagas[i].started);
    CHECK(names(listing(index, {.since = {}, .status = "completed"})) ==
          std::vector<std::string>{"held"});
    CHECK(names(listing(index, {.since = {}, .status = "undone"})) ==
          std::vector<std::string>{"lost"});
    CHECK(listing(index, {.since = {}, .status = "running"}).sagas.size() == 2);
    CHECK(listing(index, {.since = {}, .status = "stuck"}).sagas.empty());
    const Listing late = listing(index, {.since = all.sagas[1].started});
    CHECK(names(late) == std::vector<std::string>{all.sagas[0].saga, all.sagas[1].saga});
    CHECK(late.matching == 2);

    std::vector<std::string> paged;
    std::optional<Index::Older> older;
    for (int page = 0; page < 4; ++page) {
        const Listing one = listing(index, {.since = {}, .limit = 1}, {}, older);
        REQUIRE(one.sagas.size() == 1);
        CHECK(one.matching == 4);
        paged.push_back(one.sagas[0].saga);
        older = Index::Older{one.sagas[0].started, one.sagas[0].last_seq};
    }
    CHECK(paged == names(all));
    CHECK(listing(index, {.since = {}, .limit = 1}, {}, older).sagas.empty());
}

TEST_CASE("index: what waits in the services counts in a list") {
    Index index(":memory:");
    Tale tale = many();
    take(index, tale.tell("jam", {"asked", "granted", "rejected"}));
    judge_all(index);
    const Letters letters{{"new", {dead("new", "event")}},
                          {"jam", {dead("jam", "undo")}},
                          {"held", {dead("held", "event")}},
                          {"nobody", {dead("nobody", "event")}}};
    const Listing all = listing(index, {.since = {}}, letters);
    CHECK(all.sagas.size() == 5);
    CHECK(all.counts == std::map<Course, std::size_t>{{Course::running, 1},
                                                      {Course::completed, 1},
                                                      {Course::undone, 1},
                                                      {Course::undo_failed, 1},
                                                      {Course::stuck, 1}});
    CHECK(names(listing(index, {.since = {}, .status = "stuck"}, letters)) ==
          std::vector<std::string>{"new"});
    CHECK(names(listing(index, {.since = {}, .status = "failed"}, letters)) ==
          std::vector<std::string>{"jam"});
    CHECK(names(listing(index, {.since = {}, .status = "running"}, letters)) ==
          std::vector<std::string>{"half"});
    CHECK(listing(index, {.since = {}, .status = "undoing"}, letters).sagas.empty());
    CHECK(standing(index, "new").course == Course::running);
}

TEST_CASE("index: contracts that come later change what has not completed") {
    Index index(":memory:");
    take(index, many());
    judge_all(index, {});
    CHECK(standing(index, "lost").course == Course::undone);
    CHECK(standing(index, "half").waits_for.empty());
    CHECK(index.judge(kKnown, 100) == 0);
    index.doubt();
    judge_all(index);
    CHECK(standing(index, "half").waits_for == "auditor (check)");
    CHECK(standing(index, "held").course == Course::completed);
}

TEST_CASE("index: forgets what has finished long ago, and nothing else") {
    Index index(":memory:");
    const Tale tale = many();
    take(index, tale);
    judge_all(index);
    const core::StoreTime after = tale.messages().back().stored_at + std::chrono::seconds(1);
    CHECK(index.prune(tale.messages().front().stored_at, 10) == 0);
    CHECK(index.prune(after, 1) == 1);
    CHECK(index.prune(after, 10) == 1);
    CHECK(index.prune(after, 10) == 0);
    CHECK_FALSE(index.find("held"));
    CHECK_FALSE(index.find("lost"));
    CHECK(index.events("held", 0, 1000).events.empty());
    CHECK(standing(index, "new").course == Course::running);
    CHECK(index.events("half", 0, 1'000'000).events.size() == 2);
}

TEST_CASE("index: of a saga without end a bounded part is kept") {
    Index index(":memory:");
    Tale tale;
    tale.tell("long", std::vector<std::string>(observer::kMaxSagaEvents + 5, "asked"));
    take(index, tale);
    judge_all(index);
    const Index::Events kept = index.events("long", 0, 100'000'000);
    CHECK_FALSE(kept.whole);
    CHECK(kept.events.size() == observer::kMaxSagaEvents);
    CHECK(standing(index, "long").events == observer::kMaxSagaEvents + 5);
    CHECK(standing(index, "long").course == Course::running);
    tale.tell("long", {"rejected"});
    index.take(std::span(tale.messages()).last(1), tale.last());
    judge_all(index);
    CHECK(standing(index, "long").course == Course::undoing);
}

TEST_CASE("index: events come in pages, and each page has one at least") {
    Index index(":memory:");
    const Tale tale = many();
    take(index, tale);
    std::vector<std::uint64_t> seqs;
    std::uint64_t after = 0;
    while (true) {
        const Index::Events page = index.events("lost", after, 1);
        REQUIRE(page.events.size() == 1);
        after = page.events[0].seq;
        seqs.push_back(after);
        CHECK(page.events[0].bytes == tale.messages()[after - 1].bytes);
        if (!page.more) break;
    }
    CHECK(seqs == std::vector<std::uint64_t>{4, 5, 6, 10, 11, 12});
}

TEST_CASE("index: a service's database is refused") {
    const TempFolder folder;
    {
        store::Database service({.path = folder / "order.db", .vfs = {}});
        service.exec("CREATE TABLE sagas (id TEXT)");
    }
    CHECK_THROWS_WITH_AS(Index(folder / "order.db"),
                         doctest::Contains("is the database of a service"), Error);
}
