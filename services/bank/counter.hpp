// The bank's counter: answers from the ledger, or misbehaves as it was told to.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <random>
#include <saga/client.hpp>
#include <span>
#include <vector>

#include "services/bank/ledger.hpp"

namespace shop {

inline constexpr std::chrono::milliseconds kLongestLatency{60'000};

class Counter {
  public:
    template <class Question>
    using Asked = std::span<const saga::Client::Asked<Question>>;
    using Receipts = std::vector<std::optional<Receipt>>;  ///< none: silence

    /// Chance is drawn from `seed`: the same questions in the same order fare alike.
    Counter(Ledger& ledger, std::uint64_t seed) : ledger_(ledger), dice_(seed) {}

    /// What happens to each question is drawn before; what is done of a batch is on disk, all of
    /// it, when these return. They wait out the latency, once a batch. One thread for these four.
    Receipts charge(Asked<Charge> asked);
    Receipts refund(Asked<Refund> asked);
    Credited credit(std::string_view key, const Credit& asked);
    BankBooks books(const AskBooks& asked) { return ledger_.books(asked); }

    /// Changes what is not negative; answers what holds from now on, for those who wait too. Any
    /// thread.
    BankRates set(const BankRates& asked);
    /// Whoever waits is answered at once, and nobody waits any more. Any thread.
    void close();

  private:
    struct Fate {
        bool unheard = false, unlucky = false, silent = false;
    };
    Fate draw();
    bool happens(double rate);
    void wait();
    template <class Question, class Enter>
    Receipts answer(Asked<Question> asked, const Enter& enter);

    Ledger& ledger_;
    std::mt19937_64 dice_;
    std::mutex mutex_;  // what follows
    std::condition_variable changed_;
    BankRates rates_{.latency_ms = 0, .decline = 0, .failure = 0, .silence = 0};
    bool closed_ = false;
};

}  // namespace shop
