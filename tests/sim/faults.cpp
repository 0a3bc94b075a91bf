#include "tests/sim/faults.hpp"

#include <algorithm>

namespace saga::sim {
namespace {

constexpr std::array<std::string_view, kFaults> kNames{
    "kill",     "kill_act", "power",     "power_act",   "pause",        "roll",        "clock",
    "snap",     "stall",    "slow",      "broker_kill", "broker_pause", "unavailable", "full",
    "consumer", "tail",     "rollback",  "wipe",        "remade",       "hole",        "again",
    "junk",     "spoof",    "disk_full", "bad_disk",    "backup",       "rebuild",     "bank",
    "hurry",    "storm",    "late",      "split",       "cramped",      "leader"};

/// What a batch must have seen, beside every fault of kNames. Rarer rows are counted only.
constexpr std::array kSeen{
    "death inside a transaction",
    "death between commit and PubAck",
    "death at start-up",
    "duplicate publication",
    "reader made anew",
    "rewind",
    "catch-up",
    "command repeated: same answer",
    "command with another body: conflict",
    "saga confirmed",
    "saga rejected: out of stock",
    "saga rejected: payment declined",
    "saga rejected: cancelled",
    "saga rejected: shipment refused",
    "refund after a payment",
    "dead letter of what is no event",
    "call answered after silence",
    "hot keys",
    "saga waits for another one's lock",
    "undo that throws",
    "later(): waits for what comes next",
    "waits behind an earlier event of its saga",
    "retried by an operator",
    "failure before its step: tombstone",
    "failure racing a success: undone after it",
    "deadline fired",
    "deadline racing completion",
    "saga rejected: overdue",
    "deadline due while its service was down",
    "event of too many hops: dead",
    "reader behind a lost tail",
    "death between rewind and republish",
    "event of a forgotten saga: stale",
};

}  // namespace

std::string_view name_of(Fault fault) {
    return kNames.at(static_cast<std::size_t>(fault));
}

std::optional<Fault> fault_of(std::string_view name) {
    const auto found = std::find(kNames.begin(), kNames.end(), name);
    if (found == kNames.end()) return std::nullopt;
    return static_cast<Fault>(found - kNames.begin());
}

void Coverage::hit(std::string_view row, std::uint64_t times) {
    if (times == 0) return;
    const auto found = rows_.find(row);
    if (found == rows_.end())
        rows_.emplace(row, times);
    else
        found->second += times;
}

void Coverage::add(const Coverage& other) {
    for (const auto& [row, times] : other.rows_) hit(row, times);
}

std::set<std::string> Coverage::missed() const {
    std::set<std::string> missed;
    for (const std::string_view row : kNames)
        if (!rows_.contains(row)) missed.emplace(row);
    for (const std::string_view row : kSeen)
        if (!rows_.contains(row)) missed.emplace(row);
    return missed;
}

}  // namespace saga::sim
