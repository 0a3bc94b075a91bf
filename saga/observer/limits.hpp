// Every bound of an observer, with its unit and its reason. Those of the engine stand in
// core/limits.hpp.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace saga::observer {

/// Events of one saga that are kept, and their bytes: a saga of the shop has five to ten of some
/// 400 bytes. Of a longer one an observer knows how many came and whether it failed; the stream has
/// the rest.
inline constexpr std::uint64_t kMaxSagaEvents = 1'024;
inline constexpr std::uint64_t kMaxSagaBytes = 1024 * 1024;
/// Sagas that are judged, or forgotten, in one transaction: some milliseconds.
inline constexpr std::size_t kStep = 256;
/// Of these, as many as a question waits for.
inline constexpr int kSteps = 8;
/// Bytes of the events of one answer: in base64 they fit into core::kMaxAnswer.
inline constexpr std::size_t kMaxAnswerEvents = 700'000;
/// How often it looks for other contracts, and for what may be forgotten.
inline constexpr std::chrono::seconds kContractsCheck{5};
inline constexpr std::chrono::seconds kPrune{10};
/// A position that moves although nothing was read is written no more often.
inline constexpr std::chrono::seconds kIdleWrite{1};
/// How long a question waits until the observer has read as far as it asks for, and how long a
/// service may take to say what waits there: who asks waits a second.
inline constexpr std::chrono::milliseconds kPatience{500};
/// Of a request to the broker, for contracts.
inline constexpr std::chrono::seconds kAsk{1};
/// Questions that one call of the desk gets.
inline constexpr std::size_t kQuestions = 64;

}  // namespace saga::observer
