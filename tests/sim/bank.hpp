// The bank of the shop, outside of all sagas: its real ledger, on a disk that never fails.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <utility>

#include "saga/runtime/caller.hpp"
#include "services/bank/ledger.hpp"
#include "tests/sim/life.hpp"
#include "tests/sim/schedule.hpp"
#include "tests/sim/wire.hpp"

namespace saga::sim {

struct BankHabits {
    double decline = 0, unheard = 0, silent = 0, refuse = 0;
    Duration least = std::chrono::milliseconds(1), most = std::chrono::milliseconds(20);
};

class Bank {
  public:
    explicit Bank(Chance chance) : chance_(std::move(chance)) { begin(); }

    /// What it answers on bank.charge or bank.refund. Throws what stops the simulation.
    std::vector<std::byte> answer(std::string_view subject, Bytes question, std::string_view key);
    void begin() { ledger_.emplace(":memory:"); }  ///< New books, while nobody asks.
    void credit(std::int64_t cents);               ///< What every account is opened with.
    shop::BankBooks books() const;                 ///< All of them.
    BankHabits habits;
    Chance& chance() { return chance_; }
    std::uint64_t answered_late = 0;   ///< calls that were answered after an attempt that was not
    std::uint64_t refused = 0;         ///< refunds, which it takes later
    std::set<std::string> objections;  ///< why it declined what no honest client asks

  private:
    Chance chance_;
    std::optional<shop::Ledger> ledger_;
};

/// Makes a service's calls: after their time, or never, as the bank's habits and the network say.
class SimCaller final : public runtime::Caller {
  public:
    SimCaller(Schedule& schedule, Bank& bank, Life& life, std::function<void()> wake)
        : schedule_(schedule), bank_(bank), life_(life), wake_(std::move(wake)) {}

    void start(runtime::CallJob job) override;
    std::size_t room(const detail::Code&) const override { return kMost - *under_way_; }
    std::vector<runtime::CallResult> take() override { return std::exchange(*come_, {}); }

  private:
    static constexpr std::size_t kMost = 16;
    Schedule& schedule_;
    Bank& bank_;
    Life& life_;
    std::function<void()> wake_;
    // Shared with what is under way: the process may be gone when it comes.
    std::shared_ptr<std::vector<runtime::CallResult>> come_ =
        std::make_shared<std::vector<runtime::CallResult>>();
    std::shared_ptr<std::size_t> under_way_ = std::make_shared<std::size_t>(0);
};

}  // namespace saga::sim
