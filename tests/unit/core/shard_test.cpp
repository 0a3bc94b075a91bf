// Which sagas are whose, in a service that runs in shards.
#include "saga/core/shard.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "saga/core/limits.hpp"
#include "saga/core/subject.hpp"

using namespace saga;
using namespace saga::core;

TEST_CASE("shard: every saga is one shard's, and its events and dead letters are the same one's") {
    for (const unsigned of : {1U, 2U, 3U, 7U, 64U})
        for (int i = 0; i < 500; ++i) {
            const std::string saga = fmt::format("order-{}", i);
            unsigned takers = 0;
            for (unsigned nth = 0; nth < of; ++nth) {
                const Shard shard{nth, of};
                if (!shard.takes(saga)) continue;
                ++takers;
                CHECK(partition_of(saga) % of == nth);
                for (const bool with_saga : {false, true})
                    CHECK(shard.takes_subject(
                        event_subject("payment", Kind::done, "PaymentTaken", saga, with_saga)));
                CHECK(shard.takes_subject(dead_letter_subject("payment", "PaymentTaken", saga)));
                CHECK(shard.takes(shard.own_unknown()));
            }
            CHECK(takers == 1);
        }
}

TEST_CASE("shard: what has no partition is the first's") {
    for (const char* subject : {"", "saga", "saga.payment.done.PaymentTaken.px7",
                                "saga.payment.done.PaymentTaken.7", "saga.payment.done", "p"}) {
        CAPTURE(subject);
        CHECK(Shard{0, 4}.takes_subject(subject));
        CHECK_FALSE(Shard{3, 4}.takes_subject(subject));
    }
}

TEST_CASE("shard: a word is a shard, or is none") {
    CHECK(parse_shard("0/1") == Shard{});
    CHECK(parse_shard("3/4") == Shard{3, 4});
    CHECK(parse_shard("63/64") == Shard{63, 64});
    CHECK(text_of(Shard{3, 4}) == "3/4");
    for (const char* word : {"", "/", "1", "1/", "/4", "4/4", "0/0", "0/65", "-1/4", "+1/4", "01/4",
                             "1/04", " 1/4", "1/4 ", "1/4/4", "a/b", "1/99999999999"}) {
        CAPTURE(word);
        CHECK_FALSE(parse_shard(word).has_value());
    }
}

TEST_CASE("shard: a name is read as it was given") {
    for (const unsigned of : {1U, 2U, 64U}) {
        const auto all = instances_of("payment", of);
        CHECK(all.size() == of);
        for (const Instance& self : all) CHECK(parse_instance(self.name()) == self);
    }
    CHECK(Instance{"payment", {1, 4}}.name() == "payment-1-of-4");
    for (const char* name : {"payment", "payment-1", "payment-4-of-4", "payment-1-of-", "-1-of-4",
                             "payment-0-of-1", "one-of-many", "payment-01-of-4"}) {
        CAPTURE(name);
        CHECK(parse_instance(name) == Instance{name, {}});
    }
}
