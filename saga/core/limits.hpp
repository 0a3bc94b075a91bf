// Every bound of the engine: its unit, why it is what it is, and where the number comes from.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace saga::core {

using namespace std::chrono_literals;

// ---- sizes --------------------------------------------------------------------------------------

/// Bytes of a message's body. nats-server's default max_payload is 1 MiB; a quarter of it keeps one
/// event from filling a pull buffer, and a larger fact belongs in an object store.
inline constexpr std::size_t kMaxMessage = 256 * 1024;
/// Bytes of an envelope beside its payload and what it seals: ids, names, trace.
inline constexpr std::size_t kMaxEnvelopeText = 2 * 1024;
/// Bytes of a dead letter's copy of the message: the rest is in the database.
inline constexpr std::size_t kMaxDeadLetterCopy = 64 * 1024;
/// Characters of an error's text that are stored and published.
inline constexpr std::size_t kMaxReason = 500;
/// Characters of a saga id: it is a subject token, and tokens should stay short.
inline constexpr std::size_t kMaxSagaId = 64;
/// Characters of a name of a service, step or event; a subject stays below 256 characters.
inline constexpr std::size_t kMaxName = 64;
/// Of an envelope's times, which begin in 1970: RFC 3339 writes years with four digits.
inline constexpr std::chrono::sys_time<std::chrono::microseconds> kLastTime{
    253'402'300'799'999'999us};
/// Rows of one query: a handler that needs more should ask the database to aggregate.
inline constexpr std::size_t kMaxRows = 10'000;
/// Bytes of an answer: what nats-server lets through unless it is told otherwise is 1 MiB.
inline constexpr std::size_t kMaxAnswer = 1'000'000;
/// Rows of one page of what waits or is dead: each has at most 1 KiB or so.
inline constexpr std::size_t kMaxListed = 500;
/// Rows of one page of an outbox: each has 300 bytes or so.
inline constexpr std::size_t kMaxOutboxListed = 2'000;

// ---- the stream ---------------------------------------------------------------------------------

/// Units of sharding a service. Never change: a token of every subject.
inline constexpr unsigned kPartitions = 64;
/// Events between a saga's first one and this: a cycle of events stops here. The longest chain of
/// a sane choreography is below 20.
inline constexpr std::uint16_t kMaxHops = 64;
/// Messages of one pull request, and requests that overlap: measured on nats-server 2.9.10, 256
/// reads 120,000 a second and 1,024 152,000, while one batch of them is still a short transaction.
inline constexpr int kPullBatch = 512;
inline constexpr int kPulls = 2;
/// Bytes of one pull request: of events of 16 KiB a whole batch. A stream without max_msg_size
/// takes messages as large as the server's max_payload, and 512 of them would not fit into memory.
inline constexpr std::size_t kPullBytes = 8 * 1024 * 1024;
/// A pull request ends by itself after this; the broker tells us, and we ask again.
inline constexpr auto kPullExpires = 30s;
/// The broker says at least this often that it is there. Half of a second's latency to notice a
/// lost last message; the cost is one small message a pull.
inline constexpr auto kHeartbeat = 2s;
/// Silence after which the consumer is made anew: two heartbeats and a little.
inline constexpr auto kMissedHeartbeat = 5s;
/// After how long without being read the broker forgets our consumer: so long, that `nats consumer
/// report` shows the lag of a service that is down.
inline constexpr auto kConsumerInactive = 24h;
/// Messages that may wait in memory between the reader and the worker.
inline constexpr std::size_t kMaxReady = 4 * 1024;
/// Their bytes: what two pull requests bring comes on top.
inline constexpr std::size_t kMaxReadyBytes = 32 * 1024 * 1024;
/// How often stream and newest checkpoint are looked at.
inline constexpr auto kStreamCheck = 10s;
/// Of an API request to the broker.
inline constexpr auto kApiTimeout = 5s;

// ---- the worker ---------------------------------------------------------------------------------

/// Items of one transaction: one fsync for all of them, and the last waits for the work of all.
/// Sagas a second at saturation: 3,700 with 64, 4,700 with 256, no more with 1,024 (batches).
inline constexpr std::size_t kBatch = 512;
/// Bytes of messages, answers and requests of one transaction, but for the first item: with what
/// comes of them they have to fit into the WAL's 64 MiB.
inline constexpr std::size_t kBatchBytes = 8 * 1024 * 1024;
/// Calls that ask over NATS and are on their way at once: as many as one transaction settles.
inline constexpr std::size_t kMaxAsked = 512;
/// Places for sagas whose rows are kept in memory, each of a few hundred bytes: four times as many
/// as are under way when scripts/bench saturates a service. A power of two.
inline constexpr std::size_t kRecentSagas = 4'096;
/// Rows of a saga that is kept so: with as many in each place they take some 16 MiB.
inline constexpr std::size_t kRecentRows = 32;
/// Requests that may wait for one turn; the rest are told to come back.
inline constexpr std::size_t kMaxRequests = 1'024;
/// Messages that a service has to read, which was away: more than fit into memory.
inline constexpr std::uint64_t kBacklog = kMaxReady;
/// It rests for so many times as long as it waited for a processor: where it has waited for a
/// fifth of what it ran, as long as the next bound lets it. Measured on two cores that five
/// processes fill (scripts/bench backlog): without rests orders beside it take 25 times as long.
inline constexpr int kRests = 8;
/// And at most for so many times as long as it ran: then a backlog drains nearly as fast as the
/// landscape works at saturation, however many others there are.
inline constexpr double kRestsToRuns = 1.5;
/// And never longer: whoever asks a service that has a backlog, or stops it, waits for that.
inline constexpr auto kLongestRest = 50ms;
/// Who ran for so many times as long as it waited was as good as alone: its rounds grow.
inline constexpr int kRunsToWaits = 16;
/// Items of a round while others wait: what a round sets free comes to the others at once, and
/// fills the processors for a millisecond or two; fewer cost everybody more for each.
inline constexpr std::size_t kCourteousItems = 32;
/// After an unclean stop so many items are taken one at a time, each counted beforehand.
inline constexpr int kCarefulItems = 64;
/// Times that an item may be on the table when the process dies.
inline constexpr int kMaxCrashes = 3;
/// And a call: it is on its way while much else happens, and who kills is in doubt.
inline constexpr int kMaxCallCrashes = 5;
/// A call that has been on its way for so long does not kill the process where it begins. Most
/// answers come sooner; what is later is silence, in which a process may die for other reasons.
inline constexpr auto kCallSurvives = 250ms;
/// A death before that counts as so many after it: a call that kills late is known too, but later.
inline constexpr int kEarlyDeath = 4;
/// Events of one saga that may wait behind a parked one: then further ones go aside, dead.
inline constexpr std::size_t kMaxQueued = 10'000;

// ---- the file ----------------------------------------------------------------------------------

/// Pages that a backup copies between two transactions: 1 MiB, some milliseconds with its fsync.
inline constexpr int kBackupPages = 256;
/// Room that a backup leaves on its disk.
inline constexpr std::uint64_t kBackupSpare = 64 * 1024 * 1024;
/// Bytes to which the WAL shrinks after a transaction that needed more.
inline constexpr std::int64_t kWalBytes = 64 * 1024 * 1024;
/// Bytes that a service holds back on its disk: for some pruning steps' part of the WAL, each of
/// some MiB.
inline constexpr std::uint64_t kReserveBytes = 16 * 1024 * 1024;

// ---- retries ------------------------------------------------------------------------------------

/// Attempts of an event: with the ladder below about 14 minutes, long enough for a restart of
/// whatever the handler leans on, short enough to be looked at the same day.
inline constexpr int kEventAttempts = 14;
/// Of an undo: about 7 hours. A saga that cannot be undone is the worst thing that can happen here.
inline constexpr int kUndoAttempts = 40;
/// Of an event that waits for another one, or for a lock: what wakes it earlier does not count.
inline constexpr int kLaterAttempts = 40;
inline constexpr auto kFirstRetry = 100ms;
inline constexpr auto kLastRetry = 15min;

// ---- the outbox ---------------------------------------------------------------------------------

/// Events on their way to the broker without a PubAck. 1,000 is where the curve of nats-server
/// 2.9.10 flattens (64: 72,000 a second, 256: 108,000, 1,000: 134,000, 4,000: 124,000).
inline constexpr std::size_t kMaxInFlight = 1'024;
/// Rows without a PubAck in memory, of events and dead letters each, and bytes of their envelopes:
/// a second's worth at saturation. More wait in the database; as many lost ones may come on top.
inline constexpr std::size_t kMaxUnsent = 8 * kMaxInFlight, kMaxUnsentBytes = 8 * 1024 * 1024;
/// Rows not read back that are in memory: 20 MiB, of the 64 of a service, if all have a PubAck.
inline constexpr std::size_t kMaxUnsettled = 512 * 1024;
/// Without a PubAck after this the relay starts again at the oldest unsent row.
inline constexpr auto kPubAckTimeout = 5s;
/// After a refusal (stream full, no JetStream) the relay waits this long.
inline constexpr auto kPublishPause = 1s;

// ---- history ------------------------------------------------------------------------------------

/// Checkpoints that are all kept; older ones at doubling distances.
inline constexpr std::size_t kRecentCheckpoints = 64;
/// How long a settled event stays in the outbox: the longest a reader may be away when the broker
/// loses what it acknowledged.
inline constexpr auto kOutboxHorizon = 24h;
/// The stream's max_age: longer than the longest saga and the outbox horizon together.
inline constexpr auto kStreamMaxAge = 7 * 24h;
/// How far clocks of different machines may stand apart.
inline constexpr auto kClockSkew = 1h;
/// How long a finished saga stays in the journal: no event of it can come after that.
inline constexpr auto kRetention = kStreamMaxAge + kOutboxHorizon + kClockSkew;
/// Rows of each kind that a pruning step looks at: as many as a transaction of kBatch items brings
/// or more, so that a service that never rests forgets as fast as it learns.
inline constexpr int kPruneBatch = 1'024;
/// Dead letters that block no saga and are kept; the oldest go first.
inline constexpr int kMaxAside = 10'000;

// ---- ownership ----------------------------------------------------------------------------------

/// How often the entry in SAGA_OWNERS is looked at, and how long an instance that cannot look makes
/// calls: two instances act as one for no longer.
inline constexpr auto kLease = 30s;
/// How long the registered owner may take to say that it is alive.
inline constexpr auto kOwnerAnswers = 2s;

}  // namespace saga::core
