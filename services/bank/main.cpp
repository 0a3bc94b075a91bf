// The bank: the outside world of the shop, with a memory of its own and bad days on demand.
#include <fmt/format.h>
#include <pthread.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <csignal>
#include <filesystem>

#include "services/bank/counter.hpp"

using namespace shop;

namespace {

struct Given {
    saga::Address address;
    std::string data = "data";
    std::uint64_t seed = 1;
    BankRates rates{.latency_ms = 0, .decline = 0, .failure = 0, .silence = 0};
};

void add_flags(CLI::App& app, Given& given) {
    const CLI::Range part(0.0, 1.0);
    saga::add_client_flags(app, given.address);
    app.add_option("--data", given.data, "folder of bank.db")->envname("SAGA_DATA");
    app.add_option("--latency-ms", given.rates.latency_ms, "before each answer")
        ->check(CLI::Range(0, static_cast<int>(kLongestLatency.count())))
        ->envname("SAGA_BANK_LATENCY_MS");
    app.add_option("--decline-rate", given.rates.decline, "part of the charges that it declines")
        ->check(part)
        ->envname("SAGA_BANK_DECLINE_RATE");
    app.add_option("--failure-rate", given.rates.failure,
                   "part of the requests that it throws away: done nothing, answered nothing")
        ->check(part)
        ->envname("SAGA_BANK_FAILURE_RATE");
    app.add_option("--silence-rate", given.rates.silence,
                   "part of the requests that it does and does not answer")
        ->check(part)
        ->envname("SAGA_BANK_SILENCE_RATE");
    app.add_option("--seed", given.seed, "of its chance")->envname("SAGA_BANK_SEED");
    app.footer("Examples:\n  bank --data /var/lib/bank\n  bank --latency-ms 50 --silence-rate 0.1");
}

/// SIGTERM and SIGINT wait for one thread that asks for them.
class Signals {
  public:
    Signals() {
        sigemptyset(&signals_);
        sigaddset(&signals_, SIGTERM);
        sigaddset(&signals_, SIGINT);
        pthread_sigmask(SIG_BLOCK, &signals_, nullptr);  // before any other thread is made
    }
    void wait() const {
        int signal = 0;
        sigwait(&signals_, &signal);
    }

  private:
    sigset_t signals_{};
};

/// A ledger that cannot be written ends the bank: what is on disk is unknown until it is opened
/// again, so nobody is answered from it any more.
class Guard {
  public:
    template <class Work>
    auto operator()(const Work& work) {
        if (broken()) throw saga::Error("the ledger is closed");
        try {
            return work();
        } catch (const std::exception& failure) {
            if (!broken_.exchange(true)) {
                fmt::print(stderr, "bank: cannot write the ledger: {}\n", failure.what());
                ::kill(::getpid(), SIGTERM);
            }
            throw;
        }
    }
    bool broken() const { return broken_; }

  private:
    std::atomic<bool> broken_ = false;
};

void refuse_second(saga::Client& client) {
    try {
        client.request<BankRates>("bank.rates", BankRates{}, {}, std::chrono::seconds(1));
    } catch (const saga::Error&) {
        return;  // nobody answers
    }
    throw saga::Error("another bank answers on this nats-server: stop it, or name another server");
}

int serve(const Given& given) {
    const Signals signals;
    std::filesystem::create_directories(given.data);
    Ledger ledger((std::filesystem::path(given.data) / "bank.db").string());
    Counter counter(ledger, given.seed);
    counter.set(given.rates);
    Guard guard;
    saga::Client desk(given.address);  // a thread of its own: it answers while others wait
    refuse_second(desk);
    {
        saga::Client client(given.address);
        using saga::Client;
        client.serve_batches("bank.charge", [&](Counter::Asked<Charge> asked) {
            return guard([&] { return counter.charge(asked); });
        });
        client.serve_batches("bank.refund", [&](Counter::Asked<Refund> asked) {
            return guard([&] { return counter.refund(asked); });
        });
        client.serve("bank.credit", [&](std::string_view key, const Credit& asked) {
            return guard([&] { return counter.credit(key, asked); });
        });
        client.serve("bank.books", [&](std::string_view, const AskBooks& asked) {
            return guard([&] { return counter.books(asked); });
        });
        desk.serve("bank.rates",
                   [&](std::string_view, const BankRates& asked) { return counter.set(asked); });
        fmt::print(stderr, "bank: open\n");
        signals.wait();
        counter.close();
    }
    fmt::print(stderr, "bank: closed\n");
    return guard.broken() ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
    Given given;
    CLI::App app{"The bank that the shop's payments go to, on plain NATS subjects.", "bank"};
    add_flags(app, given);
    try {
        app.parse(argc, argv);
        return serve(given);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    } catch (const std::exception& failure) {
        fmt::print(stderr, "bank: {}\n", failure.what());
        return 1;
    }
}
