// What can befall a simulated landscape, and what of it did.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace saga::sim {

enum class Fault : std::uint8_t {
    kill,       // a process, between two of its turns
    kill_act,   // a process, at one of its writes, syncs or sends
    power,      // a machine: unsynced writes are lost, torn
    power_act,  // likewise, in the midst of its work
    pause,      // a process, for seconds to minutes
    roll,       // a process is stopped in order and started again
    clock,      // a machine's date jumps by up to an hour
    snap,       // a connection is reset
    stall,      // a network passes nothing for a while, and nobody is told
    slow,       // a network is slow for a while
    broker_kill,
    broker_pause,
    unavailable,  // JetStream answers nothing for a while
    full,         // the stream takes nothing for a while
    consumer,     // a consumer is deleted
    tail,         // the broker loses what it had acknowledged last
    rollback,     // the broker's store is an older copy
    wipe,         // the broker's store is gone, in the midst of everything
    remade,       // the stream is deleted and made anew
    hole,         // a message in the middle of the stream is gone
    again,        // stored messages are published again, by somebody, with or without their id
    junk,         // what is no event, under an event's subject
    spoof,        // an event under another service's subject, an event with a guessed id
    disk_full,
    bad_disk,  // an error of a write or of a sync
    backup,    // a database is an older copy
    rebuild,   // a database is gone, and built from the stream
    bank,      // the bank is slow, deaf, silent, and refuses to refund
    hurry,     // what has half an hour elsewhere has seconds here: deadlines race what they await
    storm,     // an event that is too many events away from its saga's first
    late,      // at last, every event again, when nobody remembers its saga
    split,     // order, payment and shipping run in two shards each
    cramped,   // a few events have room in memory: the rest waits in the database to be sent
    leader,    // the node that leads the stream loses its end, under connections that stay
    count_
};
inline constexpr auto kFaults = static_cast<std::size_t>(Fault::count_);

/// These lose what a database restored from a backup would have to be told: not both in one run.
inline const std::set<Fault> kBrokerLoses{Fault::tail,   Fault::rollback, Fault::wipe,
                                          Fault::remade, Fault::hole,     Fault::leader};
inline const std::set<Fault> kServiceLoses{Fault::backup, Fault::rebuild};

std::string_view name_of(Fault fault);
std::optional<Fault> fault_of(std::string_view name);

/// The rows of the table of faults, and how often each was hit: a batch of seeds must hit all.
class Coverage {
  public:
    void hit(std::string_view row, std::uint64_t times = 1);
    void add(const Coverage& other);
    const std::map<std::string, std::uint64_t, std::less<>>& rows() const { return rows_; }
    /// Those that were never hit.
    std::set<std::string> missed() const;

  private:
    std::map<std::string, std::uint64_t, std::less<>> rows_;
};

}  // namespace saga::sim
