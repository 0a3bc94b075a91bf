// A few services, a stream that loses what it acknowledged, and everything between them that may
// break: core::Outgoing, core::Checkpoints, core::judge and core::holds as the engine puts them
// together, driven by one seed.
#pragma once

#include <cstdint>
#include <string>

namespace saga::test {

/// A rule taken away: the simulation must notice.
enum class Without : std::uint8_t {
    nothing,           ///< as the engine is
    judgement,         ///< a new connection looks neither at the stream nor at a checkpoint
    store_time,        ///< a checkpoint holds where its event stands, whenever it was stored
    older_checkpoint,  ///< a rewind goes to the newest checkpoint, whether it holds or not
    start_at_it,       ///< a new connection reads on after the message behind the checkpoint
    unsettling,        ///< a rewind publishes nothing again
    death_of_acks,     ///< PubAcks count on, over a new connection
    passing,           ///< nobody looks whether the reader passed what was acknowledged
    death_of_queue,    ///< what was read and not handled is handled, over a new connection
    read_back,         ///< a PubAck settles
    reading_again,     ///< a new connection goes on where the reader stood, not at the checkpoint
};

struct Outcome {
    std::string lost;  ///< empty: everything was published and read everywhere
    std::uint64_t rewinds = 0, sent_again = 0, tails = 0, holes = 0, remakes = 0;
};

/// Random work and faults, then healing, then the count: every event that was committed stands in
/// the stream, every service has handled every event of the stream that it reads, and the events
/// that one service published in one saga stand in the order of their commits.
Outcome simulate(std::uint64_t seed, Without without = Without::nothing);

}  // namespace saga::test
