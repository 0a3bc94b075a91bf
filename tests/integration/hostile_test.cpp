// What anybody may put on the subjects: it becomes a dead letter or nothing, and the rest goes on.
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <random>

#include "saga/bus/topology.hpp"
#include "saga/core/subject.hpp"
#include "tests/integration/stage.hpp"

using namespace saga;
using namespace saga::testing;

namespace {

std::vector<std::byte> noise(std::size_t size, unsigned seed) {
    std::mt19937 random(seed);
    std::vector<std::byte> bytes(size);
    for (std::byte& each : bytes) each = static_cast<std::byte>(random());
    return bytes;
}

Time now() {
    return std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
}

/// A sound event of asker's for granter, as asker would say it, but for its id.
struct Forged {
    explicit Forged(const std::string& ticket, std::uint8_t nth = 1)
        : payload(detail::pack(test::Asked{.ticket = ticket, .amount = 1})), saga(ticket) {
        envelope = {.id = any_id(nth),
                    .type = "test.asker.Asked",
                    .saga = saga,
                    .started = now(),
                    .source = "asker",
                    .time = now(),
                    .step = "ask",
                    .payload = payload};
        subject = core::event_subject("asker", Kind::done, "Asked", saga, false);
    }
    std::vector<std::byte> bytes() const { return core::encode(envelope); }
    std::vector<std::byte> payload;
    std::string saga, subject;
    core::Envelope envelope;
};

std::vector<std::byte> cut(std::vector<std::byte> bytes, std::size_t to) {
    bytes.resize(to);
    return bytes;
}

/// What stands aside at granter: reasons, in order.
std::vector<std::string> reasons(Landscape& l) {
    std::vector<std::string> found;
    store::Statement statement(l.granting->store().db(), "SELECT reason FROM aside");
    store::Rows rows = statement.query();
    while (rows.next()) found.emplace_back(rows.text(0));
    return found;
}

void good_sagas_end(Landscape& l, int already = 0) {
    for (int i = 0; i < 3; ++i) l.ask(fmt::format("good{}-{}", already, i), 1);
    REQUIRE(l.drive_all([&] {
        return l.asking->value("SELECT count(*) FROM sagas WHERE ended_by = 'Closed'") ==
               already + 3;
    }));
}

/// One hostile message more, which must be put aside for a reason that holds `why`.
void aside(Landscape& l, const std::string& subject, Bytes bytes, std::string_view why,
           const core::Headers& headers = {}) {
    CAPTURE(why);
    const auto before = reasons(l).size();
    REQUIRE(inject(l.broker, subject, bytes, headers) > 0);
    REQUIRE(l.drive_all([&] { return reasons(l).size() == before + 1; }));
    const auto found = reasons(l);
    const bool told = std::any_of(found.begin(), found.end(), [&](const std::string& each) {
        return each.find(why) != std::string::npos;
    });
    CHECK_MESSAGE(told, found.back());
}

}  // namespace

TEST_CASE("hostile: what cannot be read is put aside with its reason") {
    on_each_landscape([](Landscape& l) {
        const Forged forged("t");
        const auto sound = forged.bytes();
        aside(l, forged.subject, noise(100, 1), "does not carry the file identifier");
        aside(l, forged.subject, {}, "does not carry the file identifier");
        aside(l, forged.subject, cut(sound, 7), "does not carry the file identifier");
        aside(l, forged.subject, cut(sound, sound.size() / 2), "no sound Envelope");
        auto other = sound;
        other[4] = std::byte{'X'};
        aside(l, forged.subject, other, "does not carry the file identifier");
        auto broken = sound;
        for (std::size_t at = 8; at < 40; ++at) broken[at] = std::byte{0xFF};
        aside(l, forged.subject, broken, "no sound Envelope");
        aside(l, forged.subject, noise(300 * 1024, 2), "more than 262144");
        CHECK(l.granting->value("SELECT count(*) FROM sagas") == 0);
        good_sagas_end(l);
        REQUIRE(l.drive_all([&] {
            return l.granting->value(
                       "SELECT count(*) FROM outbox WHERE stream_seq > 0 AND "
                       "subject LIKE 'saga-dlq.granter.%'") == 7;
        }));
    });
}

TEST_CASE("hostile: random bytes and flipped bits hurt nobody") {
    on_each_landscape([](Landscape& l) {
        const Forged forged("t");
        const auto sound = forged.bytes();
        std::mt19937 random(7);
        for (unsigned i = 0; i < 60; ++i) {
            auto bytes = i % 2 == 0 ? noise(1 + random() % 400, i) : cut(sound, sound.size() - 1);
            for (int flips = 0; flips < 3; ++flips)
                bytes[random() % bytes.size()] ^= static_cast<std::byte>(1U << random() % 8);
            inject(l.broker, forged.subject, bytes);
        }
        good_sagas_end(l);
        CHECK(reasons(l).size() > 30);
        for (Instance* each : l.all()) CHECK(each->running());
    });
}

TEST_CASE("hostile: 5 MB do not get in, or are put aside") {
    on_each_server([](const std::string& binary) {
        const auto huge = noise(5 * 1024 * 1024, 3);
        const Forged forged("t");
        {
            Landscape l(binary);
            CHECK_THROWS(inject(l.broker, forged.subject, huge));  // above the server's max_payload
            good_sagas_end(l);
        }
        Broker broker(binary, "max_payload: 8MB");
        broker.bootstrap();
        CHECK(inject(broker, forged.subject, huge) == 0);  // above the stream's max_msg_size
        auto config = nlohmann::json::parse(bus::assets(1, 0).front().config);
        config["max_msg_size"] = -1;
        api(broker, "STREAM.UPDATE.SAGA", config.dump());
        TempFolder folder;
        Instance granting(granter(), folder.path(), broker.url());
        CHECK(inject(broker, forged.subject, huge) == 1);
        const Forged next("next");
        inject(broker, next.envelope);
        REQUIRE(
            drive({&granting}, [&] { return granting.value("SELECT count(*) FROM grants") == 1; }));
        CHECK(granting.value("SELECT count(*) FROM aside") == 1);
        CHECK(granting.value("SELECT length(message) FROM aside") <= 256 * 1024);
    });
}

TEST_CASE("hostile: of what waits for a service its memory holds so many bytes at most") {
    on_each_landscape([](Landscape& l) {
        constexpr std::size_t kBytes = 240 * 1024, kMessages = 400, kHandled = 60;
        const std::string subject = Forged("t").subject;
        l.granting->stop();
        for (std::uint32_t nth = 0; nth < kMessages; ++nth)
            inject(l.broker, subject, noise(kBytes, nth));
        l.granting.emplace(granter(), l.folder.path(), l.broker.url(),
                           Instance::Options{.worker = {.batch = 1}});
        const auto aside = [&] {
            return static_cast<std::size_t>(l.granting->value("SELECT count(*) FROM aside"));
        };
        REQUIRE(drive({&*l.granting}, [&] { return aside() >= kHandled; }));
        const auto consumer =
            nlohmann::json::parse(api(l.broker, "CONSUMER.INFO.SAGA.granter", ""));
        const std::size_t held =
            kMessages - consumer.at("num_pending").get<std::size_t>() - aside();
        CHECK(held * kBytes <= core::kMaxReadyBytes + core::kPulls * core::kPullBytes);
        REQUIRE(drive(
            {&*l.granting}, [&] { return aside() == kMessages; }, 60s));
    });
}

TEST_CASE("hostile: an envelope that disagrees with its subject is put aside") {
    on_each_landscape([](Landscape& l) {
        const Forged forged("t");
        const auto at = [](const Forged& f) { return core::partition_token(f.saga); };
        Forged thief("t");
        thief.envelope.source = "auditor";
        aside(l, forged.subject, thief.bytes(), "names another service");
        thief.subject = core::event_subject("auditor", Kind::failed, "Asked", "t", false);
        thief.envelope.kind = Kind::failed;
        aside(l, thief.subject, thief.bytes(), "belongs to asker, not to auditor");
        aside(l, fmt::format("saga.asker.failed.Asked.{}", at(forged)), forged.bytes(),
              "names another kind");
        aside(l, fmt::format("saga.asker.failed.Other.{}", at(forged)), forged.bytes(), "names");
        const std::string wrong = core::partition_of("t") == 0 ? "p01" : "p00";
        aside(l, "saga.asker.done.Asked." + wrong, forged.bytes(), "names another partition");
        aside(l, forged.subject + ".other", forged.bytes(), "names another saga");
        Forged bad("t");
        bad.envelope.saga = "no saga id";
        aside(l, forged.subject, bad.bytes(), "saga id");
        CHECK(l.granting->value("SELECT count(*) FROM grants") == 0);
        CHECK(l.granting->value("SELECT count(*) FROM sagas WHERE failed_by != ''") == 0);
        good_sagas_end(l);
    });
}

TEST_CASE("hostile: what nobody knows is passed over") {
    on_each_landscape([](Landscape& l) {
        Forged unknown("t", 2);
        unknown.envelope.source = "stranger";
        unknown.envelope.type = "test.stranger.Nonsense";
        REQUIRE(inject(l.broker, unknown.envelope) > 0);
        for (const char* subject :
             {"saga.x", "saga.asker.done.Asked", "saga.asker.done.Asked.p00.t.u",
              "saga.asker.failed.X", "saga.a.ended.X.p0"})
            REQUIRE(inject(l.broker, subject, unknown.bytes()) > 0);
        good_sagas_end(l);
        for (Instance* each : l.all()) {
            CHECK(each->value("SELECT count(*) FROM aside") == 0);
            CHECK(each->value("SELECT count(*) FROM parked") == 0);
        }
    });
}

TEST_CASE("hostile: an event is one event with headers, without, and with others'") {
    on_each_landscape([](Landscape& l) {
        l.asking.reset();  // it would know that it never said this
        const Forged forged("t");
        inject(l.broker, forged.subject, forged.bytes());  // no Nats-Msg-Id: the broker keeps all
        inject(l.broker, forged.subject, forged.bytes());
        inject(l.broker, forged.subject, forged.bytes(), {{"Nats-Msg-Id", "another"}});
        inject(l.broker, forged.subject, forged.bytes(),
               {{"ce-id", "no id"}, {"traceparent", "%"}});
        const Forged next("next", 9);
        inject(l.broker, next.envelope);
        REQUIRE(l.drive_all([&] { return l.auditing->value("SELECT count(*) FROM checks") == 2; }));
        CHECK(l.granting->value("SELECT count(*) FROM grants") == 2);
        CHECK(l.granting->value("SELECT count(*) FROM aside") == 0);
        CHECK(count_stream(l.broker).names.at("Granted") == 2);
    });
}

TEST_CASE(
    "hostile: a payload that is no table of its type waits for an operator, and only its saga") {
    on_each_landscape([](Landscape& l) {
        l.asking.reset();
        Forged forged("t");
        forged.envelope.payload = std::span(forged.payload).first(5);
        inject(l.broker, forged.envelope);
        REQUIRE(l.drive_all([&] { return l.granting->store().parked.count(true) == 1; }));
        inject(l.broker, Forged("next", 9).envelope);
        REQUIRE(l.drive_all([&] { return l.auditing->value("SELECT count(*) FROM checks") == 1; }));
        CHECK(l.granting->value("SELECT count(*) FROM grants WHERE ticket = 't'") == 0);
    });
}

TEST_CASE("hostile: messages larger than a whole pull request are read without a halt") {
    on_each_server([](const std::string& binary) {
        Broker broker(binary, "max_payload: 12MB");
        broker.bootstrap();
        auto config = nlohmann::json::parse(bus::assets(1, 0).front().config);
        config["max_msg_size"] = -1;
        api(broker, "STREAM.UPDATE.SAGA", config.dump());
        TempFolder folder;
        Instance reading(reader(), folder.path(), broker.url());
        REQUIRE(drive({&reading}, [&] { return reading.ready(); }));
        std::uint64_t last = 0;
        for (const std::size_t kibibytes : {1, 10'000, 1, 10'000, 10'000})
            last = inject(broker, "saga.stranger.done.Junk.p00",
                          std::vector<std::byte>(kibibytes * 1024));
        for (int i = 0; i < 60; ++i)  // more than two requests' bytes
            last =
                inject(broker, "saga.stranger.done.Junk.p00", std::vector<std::byte>(300 * 1024));
        REQUIRE(last == 65);
        REQUIRE(drive({&reading}, [&] { return reading.store().aside.count() == 65; }));
        CHECK(reading.node().reader().reopened() == 0);
        CHECK(reading.ready());
    });
}
