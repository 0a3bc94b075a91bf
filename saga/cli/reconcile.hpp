// What a service's outbox and the stream have of its events, and where they differ.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <saga/event.hpp>
#include <string>
#include <unordered_map>
#include <vector>

#include "saga/cli/command.hpp"

namespace saga::cli {

/// An event that one of the two has and the other has not.
struct Difference {
    enum class What : std::uint8_t {
        unsent,   ///< committed, and not in the stream yet: it will be published
        lost,     ///< read back once, and gone from the stream: it will be published again
        unknown,  ///< in the stream, and not in the database, which is older: it will be caught up
    };
    What what = What::unsent;
    std::string event, saga, id;
    std::int64_t outbox_seq = 0;   ///< 0: not there
    std::uint64_t stream_seq = 0;  ///< where it stands, or stood; 0: nowhere
};

/// What the stream has under the service's name.
struct Published {
    struct Event {
        std::uint64_t seq = 0;
        std::string event, saga;
    };
    std::unordered_map<std::string, Event> events;  ///< by id
    std::uint64_t first_seq = 1, last_seq = 0;      ///< of the stream
    std::int64_t created_ns = 0;                    ///< likewise
};

/// A page of the service's verb `outbox`, after a row; each is asked for once, the first one also
/// for what stands in Before.
using OutboxPage = std::function<nlohmann::ordered_json(std::int64_t after)>;

/// How the service was before `published` was read: rows from `next_seq` on were committed since
/// then, and do not count; up to `cursor` it had read.
struct Before {
    std::int64_t next_seq = 0;
    std::uint64_t cursor = 0;
};
std::vector<Difference> differences(Published published, const Before& before,
                                    const OutboxPage& page);

}  // namespace saga::cli
