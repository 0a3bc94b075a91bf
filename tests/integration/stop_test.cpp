// A clean stop with work in flight: requests, messages that were read, calls that are open.
#include <fmt/format.h>
#include <signal.h>

#include <atomic>
#include <list>
#include <thread>

#include "saga/bus/nats_client.hpp"
#include "tests/integration/outside.hpp"
#include "tests/integration/stage.hpp"

using namespace saga;
using namespace saga::testing;

namespace {

/// All that asker and granter have to say of so many tickets is in the stream.
bool told(Landscape& l, int tickets) {
    const auto left = "SELECT count(*) FROM outbox WHERE stream_seq IS NULL";
    return l.granting->value("SELECT count(*) FROM grants") == tickets &&
           l.asking->value(left) + l.granting->value(left) == 0;
}

/// Asks for tickets as clients do: again while the service is away; the first word that accepts one
/// is kept.
class Asking {
  public:
    Asking(const Broker& broker, std::string name, int tickets)
        : broker_(broker), name_(std::move(name)), tickets_(tickets), thread_([this] { run(); }) {}
    ~Asking() {
        gone_ = true;
        thread_.join();
    }
    Asking(const Asking&) = delete;
    Asking& operator=(const Asking&) = delete;
    bool done() const { return accepted_ == tickets_; }
    int accepted() const { return accepted_; }
    /// By ticket; when done.
    const std::map<std::string, std::string>& answers() const { return answers_; }

  private:
    void run() {
        bus::NatsClient client(address_of(broker_), name_);
        for (int i = 0; i < tickets_; ++i) {
            const std::string ticket = fmt::format("{}-{}", name_, i);
            const auto body = detail::pack(test::Ask{.ticket = ticket, .amount = 0});
            const auto heard = [&] {
                if (gone_) return true;
                try {
                    const auto answer = client.request("saga-ctl.asker.ask", body, 1s);
                    const std::string json(reinterpret_cast<const char*>(answer.data()),
                                           answer.size());
                    if (json.find("accepted") == std::string::npos) return false;
                    answers_[ticket] = json;
                    return true;
                } catch (const bus::NoAnswer&) {
                    return false;
                }
            };
            if (eventually(heard) && !gone_) ++accepted_;
        }
    }

    const Broker& broker_;
    std::string name_;
    int tickets_;
    std::atomic<int> accepted_ = 0;
    std::atomic<bool> gone_ = false;
    std::map<std::string, std::string> answers_;
    std::thread thread_;
};

/// No item is taken one at a time, each counted beforehand, after a stop like this.
void check_clean(const Landscape& l, const std::string& service) {
    CHECK(left(l, service, "SELECT value FROM meta WHERE name = 'clean'") == 1);
    CHECK(left(l, service, "SELECT count(*) FROM attempts") == 0);
}

}  // namespace

TEST_CASE("stop: while clients ask, no accepted command is lost and no answer is false") {
    on_each_landscape([](Landscape& l) {
        constexpr int kTickets = 40;
        int stops = 0;
        std::map<std::string, std::string> answers;
        {
            Asking one(l.broker, "one", kTickets), two(l.broker, "two", kTickets);
            const auto accepted = [&] { return one.accepted() + two.accepted(); };
            while (stops < 6) {
                const int before = accepted();
                REQUIRE(l.drive_all([&] { return accepted() >= before + 8; }));
                l.asking->stop();
                CHECK(l.asking->failure().empty());
                check_clean(l, "asker");
                l.start_asker();
                ++stops;
            }
            REQUIRE(l.drive_all([&] { return one.done() && two.done(); }));
            answers = one.answers();
            answers.insert(two.answers().begin(), two.answers().end());
        }
        REQUIRE(l.drive_all([&] { return ended(*l.asking) == 2 * kTickets && l.at_rest(); }));
        for (const auto& [ticket, answer] : answers) CHECK(l.ask(ticket, 0) == answer);
        const Counted counted = count_stream(l.broker);
        CHECK(counted.names.at("Asked") == 2 * kTickets);
        CHECK(counted.names.at("Closed") == 2 * kTickets);
        for (const auto& each : counted.ids) CHECK_MESSAGE(each.second == 1, each.first);
    });
}

TEST_CASE("stop: requests that wait in its queue are answered as they were decided") {
    on_each_landscape([](Landscape& l) {
        constexpr int kClients = 8;
        const auto start = [&] {
            l.asking.emplace(asker(), l.folder.path(), l.broker.url(),
                             Instance::Options{.worker = {.executor = {}, .batch = 1}});
        };
        l.asking->stop();
        start();
        REQUIRE(l.drive_all([&] { return l.ready(); }));
        std::list<Asking> clients;
        for (int i = 0; i < kClients; ++i)
            clients.emplace_back(l.broker, fmt::format("client{}", i), 1);
        const auto accepted = [&] {
            std::int64_t sum = 0;
            for (const Asking& client : clients) sum += client.accepted();
            return sum;
        };
        const auto commands = "SELECT count(*) FROM commands";
        REQUIRE(l.drive_all([&] { return l.asking->value(commands) > 0; }));
        l.asking->stop();  // two requests a round: most of them wait
        check_clean(l, "asker");
        const std::int64_t decided = left(l, "asker", commands);
        CHECK(eventually([&] { return accepted() == decided; }));
        start();
        REQUIRE(l.drive_all([&] { return accepted() == kClients; }));
        REQUIRE(l.drive_all([&] { return ended(*l.asking) == kClients && l.at_rest(); }));
        CHECK(count_stream(l.broker).names.at("Asked") == kClients);
    });
}

TEST_CASE("stop: what was read and not handled is read again") {
    on_each_landscape([](Landscape& l) {
        constexpr int kTickets = 20;
        l.granting->stop();
        l.granting.reset();
        for (int i = 0; i < kTickets; ++i) l.ask(fmt::format("t{}", i), 1);
        const auto granted = "SELECT count(*) FROM grants";
        const auto start = [&] {
            l.granting.emplace(granter(), l.folder.path(), l.broker.url(),
                               Instance::Options{.worker = {.executor = {}, .batch = 1}});
        };
        start();
        for (int stops = 1; stops <= 3; ++stops) {
            REQUIRE(drive({&*l.granting}, [&] { return l.granting->value(granted) >= 3 * stops; }));
            l.granting->stop();
            CHECK(left(l, "granter", granted) < kTickets);
            check_clean(l, "granter");
            start();
        }
        REQUIRE(l.drive_all([&] { return ended(*l.asking) == kTickets && l.at_rest(); }));
        CHECK(l.granting->value(granted) == kTickets);
        const Counted counted = count_stream(l.broker);
        CHECK(counted.names.at("Granted") == kTickets);
        for (const auto& each : counted.ids) CHECK_MESSAGE(each.second == 1, each.first);
    });
}

TEST_CASE("stop: an open call is awaited, and its answer counts") {
    on_each_server([](const std::string& binary) {
        Landscape l(binary);
        Outside outside;
        outside.serve(l.broker);
        l.auditing->stop();
        l.auditing.reset();
        outside.hold("test.check");
        Process process = victim(l, {"VICTIM=calling"});
        l.ask("t", 1);
        REQUIRE(l.drive_all([&] { return outside.asked("test.check") == 1; }));
        process.signal(SIGTERM);
        REQUIRE(l.drive_all([&] { return process.said().find("stopping") != std::string::npos; }));
        outside.speak();
        CHECK(process.wait() == 0);
        check_clean(l, "auditor");
        CHECK(left(l, "auditor", "SELECT count(*) FROM checks") == 1);
        CHECK(left(l, "auditor", "SELECT count(*) FROM calls") == 0);
        CHECK(count_stream(l.broker).names.at("Checked") == 1);  // it was sent before the end
        Process again = victim(l, {"VICTIM=calling"});
        REQUIRE(l.drive_all([&] { return ended(*l.asking) == 1; }));
        CHECK(!request(l.broker, l.all(), "saga-ctl.auditor.state", "").empty());
        again.signal(SIGTERM);
        CHECK(again.wait() == 0);
        CHECK(outside.asked("test.check") == 1);
        CHECK(count_stream(l.broker).names.at("Checked") == 1);
    });
}

TEST_CASE("stop: a call that stays silent does not hold it up, and is made again") {
    on_each_server([](const std::string& binary) {
        Landscape l(binary);
        Outside outside;
        outside.serve(l.broker);
        l.auditing->stop();
        l.auditing.reset();
        outside.silence("test.check");
        {
            Process process = victim(l, {"VICTIM=calling"});
            l.ask("t", 1);
            REQUIRE(l.drive_all([&] { return outside.asked("test.check") >= 1; }));
            process.signal(SIGTERM);
            CHECK(process.wait() == 0);
        }
        check_clean(l, "auditor");
        CHECK(left(l, "auditor", "SELECT count(*) FROM calls") == 1);
        outside.speak();
        Process again = victim(l, {"VICTIM=calling"});
        REQUIRE(l.drive_all([&] { return ended(*l.asking) == 1; }));
        again.signal(SIGTERM);
        CHECK(again.wait() == 0);
        CHECK(outside.done("test.check") == 1);
        CHECK(left(l, "auditor", "SELECT count(*) FROM checks") == 1);
        CHECK(count_stream(l.broker).names.at("Checked") == 1);
    });
}

TEST_CASE("stop: what came while a service was away is its backlog, and nothing that comes later") {
    on_each_landscape([](Landscape& l) {
        const std::vector<Instance*> others{&*l.asking, &*l.granting};
        l.auditing->stop();
        l.auditing.reset();
        for (int i = 0; i < 6; ++i) ask(l.broker, others, fmt::format("missed{}", i), 1);
        REQUIRE(drive(others, [&] { return told(l, 6); }));
        l.checks.worker.batch = 1;
        l.start_auditor();
        const auto checked = [&] { return l.auditing->value("SELECT count(*) FROM checks"); };
        std::uint64_t most = 0;
        REQUIRE(l.drive_all([&] {
            most = std::max(most, l.auditing->node().backlog());
            return checked() == 6 && l.at_rest();
        }));
        CHECK(most >= 5);

        for (int i = 0; i < 6; ++i) ask(l.broker, others, fmt::format("later{}", i), 1);
        REQUIRE(drive(others, [&] { return told(l, 12); }));
        REQUIRE(l.drive_all([&] {
            CHECK(l.auditing->node().backlog() == 0);
            return checked() == 12 && l.at_rest();
        }));

        for (int i = 0; i < 6; ++i) ask(l.broker, others, fmt::format("last{}", i), 1);
        REQUIRE(drive(others, [&] { return told(l, 18); }));
        l.broker.kill();  // nobody was away but the broker
        l.broker.start();
        REQUIRE(l.drive_all([&] {
            CHECK(l.auditing->node().backlog() == 0);
            return checked() == 18 && l.at_rest();
        }));
    });
}
