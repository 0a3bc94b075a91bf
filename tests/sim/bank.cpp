#include "tests/sim/bank.hpp"

#include <algorithm>
#include <array>

namespace saga::sim {

using namespace std::chrono_literals;

namespace {
constexpr std::array<std::string_view, 3> kBusiness{"", "the bank says no today",
                                                    "not enough credit"};
}  // namespace

std::vector<std::byte> Bank::answer(std::string_view subject, Bytes question,
                                    std::string_view key) {
    shop::Receipt receipt;
    if (subject == "bank.refund" && habits.refuse > 0 && chance_.happens(habits.refuse)) {
        ++refused;
        receipt.declined = "not today";
        return detail::pack(receipt);
    }
    ledger_->write([&] {
        if (subject == "bank.charge")
            receipt = ledger_->charge(key, detail::unpack<shop::Charge>(question),
                                      chance_.happens(habits.decline));
        else if (subject == "bank.refund")
            receipt = ledger_->refund(key, detail::unpack<shop::Refund>(question));
        else
            throw Error("nobody answers there");
    });
    if (std::find(kBusiness.begin(), kBusiness.end(), receipt.declined) == kBusiness.end())
        objections.insert(receipt.declined);
    return detail::pack(receipt);
}

void Bank::credit(std::int64_t cents) {
    ledger_->write([&] { (void)ledger_->credit("", shop::Credit{.amount_cents = cents}); });
}

shop::BankBooks Bank::books() const {
    shop::BankBooks all = ledger_->books({.after = 0});
    for (shop::BankBooks page = all; page.page.size() == shop::kPage;) {
        page = ledger_->books({.after = page.page.back().number});
        all.page.insert(all.page.end(), page.page.begin(), page.page.end());
    }
    return all;
}

void SimCaller::start(runtime::CallJob job) {
    if (!life_.act(Act::call)) return;
    const BankHabits& habits = bank_.habits;
    Chance& chance = bank_.chance();
    const std::int64_t call = job.call;
    Duration takes = chance.between(habits.least, habits.most);
    runtime::CallResult result{.call = call, .answer = {}, .why = "no answer", .last = false};
    if (!chance.happens(habits.unheard))
        result = runtime::perform(
            job, {}, [&](std::string_view subject, Bytes question, std::string_view key, auto) {
                return bank_.answer(subject, question, key);
            });
    if (!result.answer || chance.happens(habits.silent)) {
        result.answer.reset();
        if (result.why.empty()) result.why = "no answer";
        takes = 5s;
    } else if (job.attempt > 1) {
        ++bank_.answered_late;
    }
    ++*under_way_;
    schedule_.in(takes, [result = std::move(result), come = std::weak_ptr(come_),
                         under_way = under_way_, wake = wake_] {
        --*under_way;
        const auto here = come.lock();
        if (!here) return;
        here->push_back(result);
        wake();
    });
}

}  // namespace saga::sim
