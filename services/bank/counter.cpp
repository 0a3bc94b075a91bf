#include "services/bank/counter.hpp"

#include <fmt/format.h>

namespace shop {

/// Draws as often whatever the rates are, so that one rate does not change what another brings.
Counter::Fate Counter::draw() {
    const std::lock_guard lock(mutex_);
    const bool unheard = happens(rates_.failure), unlucky = happens(rates_.decline);
    return {unheard, unlucky, happens(rates_.silence)};
}

/// The standard's distributions differ from library to library; this does not.
bool Counter::happens(double rate) {
    constexpr double kStep = 1.0 / 9'007'199'254'740'992.0;  // 2^-53
    return static_cast<double>(dice_() >> 11) * kStep < rate;
}

void Counter::wait() {
    const auto begun = std::chrono::steady_clock::now();
    std::unique_lock lock(mutex_);
    while (!closed_) {
        const auto until = begun + std::chrono::milliseconds(rates_.latency_ms);
        if (std::chrono::steady_clock::now() >= until) return;
        changed_.wait_until(lock, until);
    }
}

template <class Question, class Enter>
Counter::Receipts Counter::answer(Asked<Question> asked, const Enter& enter) {
    Receipts receipts(asked.size());
    ledger_.write([&] {
        for (std::size_t i = 0; i < asked.size(); ++i) {
            const Fate fate = draw();
            if (fate.unheard) continue;
            Receipt receipt = enter(asked[i], fate.unlucky);
            if (!fate.silent) receipts[i] = std::move(receipt);
        }
    });
    wait();
    return receipts;
}

Counter::Receipts Counter::charge(Asked<Charge> asked) {
    return answer(asked, [&](const auto& one, bool unlucky) {
        return ledger_.charge(one.key, one.question, unlucky);
    });
}

Counter::Receipts Counter::refund(Asked<Refund> asked) {
    return answer(asked,
                  [&](const auto& one, bool) { return ledger_.refund(one.key, one.question); });
}

Credited Counter::credit(std::string_view key, const Credit& asked) {
    Credited credited;
    ledger_.write([&] { credited = ledger_.credit(key, asked); });
    return credited;
}

BankRates Counter::set(const BankRates& asked) {
    const std::lock_guard lock(mutex_);
    const bool sound = asked.latency_ms <= kLongestLatency.count() && asked.decline <= 1 &&
                       asked.failure <= 1 && asked.silence <= 1;
    BankRates answer = rates_;
    if (!sound) {
        answer.refused = fmt::format("a rate is a part of one, and the latency at most {} ms",
                                     kLongestLatency.count());
        return answer;
    }
    if (asked.latency_ms >= 0) answer.latency_ms = asked.latency_ms;
    if (asked.decline >= 0) answer.decline = asked.decline;
    if (asked.failure >= 0) answer.failure = asked.failure;
    if (asked.silence >= 0) answer.silence = asked.silence;
    rates_ = answer;
    changed_.notify_all();
    return answer;
}

void Counter::close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    changed_.notify_all();
}

}  // namespace shop
