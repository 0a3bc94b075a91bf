// Whether the broker's stream is still the one that we have read. Pure: the link asks, the store
// keeps.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <saga/event.hpp>
#include <vector>

namespace saga::core {

using StoreTime = std::chrono::sys_time<std::chrono::nanoseconds>;  ///< The broker's clock.

/// A message that was handled: sequence numbers are used again after a rollback, and with luck even
/// for the same event; its store time is not.
struct Checkpoint {
    std::uint64_t seq = 0;
    StoreTime stored_at;
    EventId id;  ///< zero: it had none that could be read
    bool operator==(const Checkpoint&) const = default;
};

/// The last ones, and older ones at doubling distances: however far the broker goes back, there is
/// one not much further back.
class Checkpoints {
  public:
    /// In ascending order; above the newest.
    void add(const Checkpoint& checkpoint);
    /// Those that add() made superfluous since the last call.
    std::vector<std::uint64_t> take_superfluous();
    /// After a rewind: what is above `seq` was never handled.
    void forget_above(std::uint64_t seq);

    const std::vector<Checkpoint>& all() const { return all_; }  ///< ascending
    std::optional<Checkpoint> newest() const;
    std::optional<Checkpoint> newest_below(std::uint64_t seq) const;  ///< not at it

  private:
    void thin();
    std::vector<Checkpoint> all_;
    std::vector<std::uint64_t> superfluous_;
};

inline constexpr std::size_t kKnownHoles = 1'000;  ///< more of them are only counted

/// STREAM.INFO, as far as it concerns us.
struct StreamState {
    StoreTime created;
    std::uint64_t first_seq = 0;  ///< last_seq + 1 when it is empty
    std::uint64_t last_seq = 0;
    std::uint64_t deleted = 0;         ///< how many holes are in it
    std::vector<std::uint64_t> holes;  ///< the lowest of them, kKnownHoles at most, in order
    bool operator==(const StreamState&) const = default;
};

/// Where we are: all up to `seq` of the stream made at `created` is handled.
struct Position {
    StoreTime created;  ///< epoch: we never read it
    std::uint64_t seq = 0;
    std::uint64_t deleted = 0;  ///< holes that we know of
    std::vector<std::uint64_t> holes;
};

enum class Verdict : std::uint8_t {
    sound,         ///< as far as the numbers say: look at the newest checkpoint
    remade,        ///< another stream: read it from its beginning
    went_back,     ///< it lost its tail: rewind to the newest checkpoint that holds
    hole,          ///< it lost something in the middle, or has it again: rewind below it
    history_lost,  ///< what we have not read is gone: an operator must accept that
};

Verdict judge(const StreamState& stream, const Position& position);

/// The lowest sequence at which there is a hole, and was none when we looked last, or the other way
/// round: an older copy of the stream has the message. Of so many holes that they are only counted,
/// the lowest of all, when there is one more. 0: they are as they were.
std::uint64_t changed_hole(const StreamState& stream, const Position& position);

/// Whether the newest checkpoint must be looked at, or was trimmed by age with all before it.
bool can_look_at(const Checkpoint& checkpoint, const StreamState& stream);

/// `stored_at` and `id` are those of the message that the stream has at the checkpoint's sequence.
bool holds(const Checkpoint& checkpoint, StoreTime stored_at, const EventId& id);

}  // namespace saga::core
