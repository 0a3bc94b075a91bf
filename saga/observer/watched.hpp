// What the thread that reads the stream and the one that answers questions have in common.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>

#include "saga/observer/index.hpp"

namespace saga::observer {

/// Whoever looks at a field holds the mutex.
struct Watched {
    explicit Watched(const std::string& path) : index(path) {}

    std::mutex mutex;
    std::condition_variable moved;  ///< The position has, or `reading`.
    Index index;
    /// By which contracts the index was judged; null: not yet.
    std::shared_ptr<const view::Landscape> judged_by;
    bool reading = false;  ///< the stream is the one that stands in the index
    bool level = false;    ///< and was read to its head
    bool settled = false;  ///< and all that it said was judged
    std::uint64_t lag = 0;
    std::string trouble, server;

    /// Judges sagas by these contracts, at most so many; how many it were.
    std::size_t judge(const std::shared_ptr<const view::Landscape>& landscape, std::size_t most) {
        if (judged_by != landscape) index.doubt();
        judged_by = landscape;
        return index.judge(*landscape, most);
    }
};

}  // namespace saga::observer
