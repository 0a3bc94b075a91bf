// What an instance makes of the entry that it finds under its name, when the broker has gone back.
#include "saga/runtime/ownership.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "tests/fuzz/silent_bus.hpp"

using namespace saga;
using namespace std::chrono_literals;
using runtime::Owner;
using runtime::Ownership;

namespace {

/// A bucket with one entry.
class Bucket final : public fuzz::SilentBus {
  public:
    std::optional<bus::Entry> entry;
    bool alive = false;  ///< whoever is asked whether it runs
    bool deaf = false;   ///< what is put is stored, and not answered

    void get(const std::string&, const std::string&,
             bus::Done<std::optional<bus::Entry>> done) override {
        done(entry);
    }
    void put(const std::string&, const std::string&, const std::string& value,
             std::optional<std::uint64_t> revision, bus::Done<std::uint64_t> done) override {
        const std::uint64_t stands = entry ? entry->revision : 0;
        if (revision != stands) return done(bus::Problem{.code = 10071, .text = "wrong revision"});
        entry = {.value = value, .revision = ++last_, .stored_at = {}};
        deaf ? done(bus::Problem{.trouble = bus::Trouble::disconnected}) : done(last_);
    }
    void ask(const std::string&, const core::Headers&, std::string_view, std::chrono::milliseconds,
             bus::Done<std::string> done) override {
        if (alive) return done(R"({"instance": "first", "where": "elsewhere"})");
        done(bus::Problem{.trouble = bus::Trouble::no_responders});
    }
    void made_anew() {
        entry.reset();
        last_ = 0;
    }
    Owner owner() const { return runtime::owner_in(entry.value().value); }

  private:
    std::uint64_t last_ = 0;
};

/// An instance of `a` that has its name.
struct Instance {
    Ownership ownership;
    bus::Steady now{1h};

    Instance(Bucket& bucket, std::string nonce, std::int64_t epoch)
        : ownership(bucket, {.name = {"a", {}},
                             .instance = std::move(nonce),
                             .db_id = "file",
                             .key = "key",
                             .epoch = epoch,
                             .where = "here"}) {
        look();
        look();  // reads back what it claimed
        REQUIRE(ownership.holds(now));
    }
    void look() { ownership.assert_it(now += 1s); }
};

}  // namespace

TEST_CASE("ownership: each claim has a greater epoch, and is told, that the epoch is kept") {
    Bucket bucket;
    Instance a(bucket, "first", 6);
    CHECK(a.ownership.epoch() == 7);
    CHECK(a.ownership.take_time());
    a.look();
    CHECK_FALSE(a.ownership.take_time());
    bucket.made_anew();
    a.look();
    a.look();
    CHECK(a.ownership.epoch() == 8);
    CHECK(bucket.owner().epoch == 8);
    CHECK(a.ownership.take_time());
}

TEST_CASE("ownership: a claim whose answer was lost counts") {
    Bucket bucket;
    bucket.deaf = true;
    Instance a(bucket, "first", 6);
    CHECK(a.ownership.epoch() == 7);
    CHECK(a.ownership.take_time());
}

TEST_CASE("ownership: what an earlier instance gave back, late, is claimed again") {
    Bucket bucket;
    Instance a(bucket, "first", 6);
    bucket.made_anew();
    Instance b(bucket, "second", 6);  // a's claim was lost with the bucket, its epoch not kept
    a.ownership.release();            // over the revision that is b's now
    REQUIRE(bucket.owner().instance.empty());
    b.look();
    b.look();
    CHECK_FALSE(b.ownership.refusal());
    CHECK(b.ownership.holds(b.now));
    CHECK(bucket.owner().instance == "second");
    CHECK(bucket.owner().epoch == 8);
}

TEST_CASE("ownership: beside one that is alive none starts, whatever the bucket says") {
    for (const bool entry : {false, true}) {
        CAPTURE(entry);
        Bucket bucket;
        bucket.alive = true;
        if (entry)
            bucket.entry = {.value = R"({"instance":"","database":"file","key":"key","epoch":7})",
                            .revision = 1,
                            .stored_at = {}};
        Ownership copy(bucket, {.name = {"a", {}},
                                .instance = "second",
                                .db_id = "file",
                                .key = "key",
                                .epoch = 6,
                                .where = "here"});
        copy.assert_it(bus::Steady(1h));
        CHECK(copy.refusal().value_or("").find("runs already, in elsewhere") != std::string::npos);
    }
}

TEST_CASE("ownership: whoever came after it ends an instance, also when it is gone again") {
    struct Row {
        const char *instance, *database;
        std::int64_t epoch;
    };
    for (const Row& row : {Row{"second", "file", 8}, Row{"", "file", 8}, Row{"second", "file", 7},
                           Row{"", "another", 7}}) {
        CAPTURE(row.instance);
        CAPTURE(row.database);
        Bucket bucket;
        Instance a(bucket, "first", 6);
        bucket.entry->value =
            fmt::format(R"({{"instance":"{}","database":"{}","key":"key","epoch":{}}})",
                        row.instance, row.database, row.epoch);
        a.look();
        CHECK(a.ownership.refusal().value_or("").find("has taken over") != std::string::npos);
    }
}
