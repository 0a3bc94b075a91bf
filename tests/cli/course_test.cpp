// Where a saga stands, from its events, the contracts and what waits in the services.
#include "saga/cli/course.hpp"

#include <doctest/doctest.h>

#include "saga/cli/timeline.hpp"
#include "saga/runtime/contract_json.hpp"
#include "tests/cli/program.hpp"
#include "tests/landscape/landscape.hpp"

using namespace saga;
using namespace saga::cli;
using saga::testing::has;
using namespace std::chrono_literals;

namespace {

const Time kBegin{std::chrono::seconds(1'700'000'000)};

/// A saga of the test landscape, event by event.
struct Story {
    explicit Story(std::chrono::milliseconds patience = 1h) {
        for (const Service& service :
             {testing::asker(), testing::granter(patience), testing::auditor()})
            landscape.add(service.contract().service, runtime::contract_json(service.contract()));
    }
    Story& then(const char* service, const char* step, const char* type, Kind kind = Kind::done,
                const char* because = "") {
        Fact fact{.type = type, .service = service, .step = step, .because = because, .kind = kind};
        fact.event = fact.type.substr(fact.type.rfind('.') + 1);
        fact.id.bytes[0] = static_cast<std::uint8_t>(facts.size() + 1);
        if (!facts.empty()) fact.cause = facts.back().id;
        fact.started = kBegin;
        fact.time = kBegin + facts.size() * 10ms;
        fact.seq = facts.size() + 1;
        facts.push_back(fact);
        return *this;
    }
    Story& asked() { return then("asker", "ask", "test.asker.Asked"); }
    Story& granted() { return then("granter", "grant", "test.granter.Granted"); }
    Story& rejected() { return then("auditor", "check", "test.auditor.Rejected", Kind::failed); }
    Judgement judged() const { return judge(facts, landscape, letters); }
    Inquiry inquiry() const {
        Inquiry made{.saga = "t1", .facts = facts, .letters = letters, .landscape = landscape};
        made.payloads.assign(facts.size(), {{"ticket", "t1"}});
        made.judgement = judged();
        return made;
    }

    std::vector<Fact> facts;
    std::vector<Letter> letters;
    Landscape landscape;
};

Letter dead(const char* service, const char* what) {
    return {.service = service,
            .id = "17",
            .saga = "t1",
            .what = what,
            .state = "dead",
            .attempts = 14};
}

}  // namespace

TEST_CASE("course: a running saga says for whom it waits") {
    const Judgement judged = Story().asked().judged();
    CHECK(judged.course == Course::running);
    REQUIRE(judged.awaited.size() == 1);
    CHECK(judged.awaited[0].service == "granter");
    CHECK(judged.awaited[0].events == std::vector<std::string>{"Granted", "Denied"});
    CHECK(exit_of(judged.course) == kOk);
}

TEST_CASE("course: what waits for others comes with its timer") {
    const Inquiry inquiry = Story(30s).asked().granted().inquiry();
    const auto lines = waits(inquiry, kBegin + 10s);
    REQUIRE(lines.size() == 2);
    CHECK(has(lines[0], "waits for Checked or Rejected from auditor (check), for 9.99 s"));
    CHECK(has(lines[1], "otherwise Overdue from granter (grant) in 20 s"));
    CHECK(has(waits(inquiry, kBegin + 60s)[1], "a timer of granter (grant) was due 29 s ago"));
    CHECK(summary(inquiry, kBegin + 10s) == "running for 10 s");
}

TEST_CASE("course: completed, and nothing that is read twice changes that") {
    Story story;
    story.asked().granted().then("auditor", "check", "test.auditor.Checked");
    story.then("asker", "close", "test.asker.Closed", Kind::ended);
    CHECK(story.judged().course == Course::completed);
    story.facts.push_back(story.facts[1]);
    CHECK(story.judged().course == Course::completed);
    CHECK(story.judged().last_word == "Closed");
    CHECK(summary(story.inquiry(), kBegin + 1h) == "completed in 30 ms: Closed");
}

TEST_CASE("course: a failed saga is being undone until all is taken back") {
    Story story;
    story.asked().granted().rejected();
    CHECK(story.judged().course == Course::undoing);
    CHECK(exit_of(Course::undoing) == kUndone);
    story.then("granter", "grant", "test.granter.Revoked", Kind::undone, "Rejected");
    CHECK(story.judged().course == Course::undoing);
    story.then("asker", "give_up", "test.asker.GaveUp", Kind::ended, "Rejected");
    CHECK(story.judged().course == Course::undone);
    CHECK(story.judged().failed_by == "Rejected");
    CHECK(has(summary(story.inquiry(), kBegin), "Rejected, then GaveUp"));
}

TEST_CASE("course: what waits for an operator is stuck, or cannot be undone") {
    Story story;
    story.asked();
    story.letters = {dead("granter", "event")};
    CHECK(story.judged().course == Course::stuck);
    CHECK(exit_of(Course::stuck) == kStuck);
    CHECK(advice(story.inquiry()) ==
          std::vector<std::string>{"saga dlq show granter/17",
                                   "saga retry t1 --reason '…'  once its cause is mended"});
    story.granted().rejected();
    story.letters = {dead("granter", "undo")};
    CHECK(story.judged().course == Course::undo_failed);
    CHECK(exit_of(Course::undo_failed) == kStuck);
    story.letters = {dead("granter", "aside")};
    CHECK(story.judged().course == Course::undoing);
    CHECK(advice(story.inquiry()) == std::vector<std::string>{"saga dlq show granter/17"});
}

TEST_CASE("course: a failure after the last word is an alarm, and undoes nothing") {
    Story story;
    story.asked().granted().then("asker", "close", "test.asker.Closed", Kind::ended);
    story.rejected();
    CHECK(story.judged().course == Course::completed);
    CHECK(story.judged().alarm);
    CHECK(has(summary(story.inquiry(), kBegin), "Rejected came too late and undid nothing"));
}

TEST_CASE("timeline: events stand below their causes") {
    Story story;
    story.asked().granted();
    story.facts.push_back(story.facts[1]);
    story.facts[2].id.bytes[0] = 9;
    CHECK(depths(story.facts) == std::vector<std::size_t>{0, 1, 1});
    CHECK(drawn(story.facts[0], 0).text == "→ Asked");
    CHECK(drawn(story.facts[1], 1).text == "  → Granted");
    const auto json = json_of(story.inquiry(), kBegin + 1s, true);
    CHECK(json["state"] == "running");
    CHECK(json["events"][1]["offset_us"] == 10'000);
    CHECK(json["events"][0]["cause"].is_null());
}
