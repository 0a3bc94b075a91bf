// What may be forgotten: the oldest rows, looked at in their order, a few at a time.
#pragma once

#include <string>
#include <vector>

#include "saga/store/statement.hpp"

namespace saga::store {

class Pruning {
  public:
    struct OldEvent {
        std::int64_t seq = 0, saga = 0;
        bool settled = false;
        Time at;
    };
    struct OldSaga {
        std::int64_t key = 0;
        std::string id;
        Time started, touched;
        bool only_read = false;  ///< no step, half, command or lock: reactions have heard of it
    };
    explicit Pruning(const Database& db);

    /// The next outbox rows after `seq`: the oldest first.
    std::vector<OldEvent> events(std::int64_t after, std::size_t most);
    /// The next sagas after `key`, in the order in which they became known here.
    std::vector<OldSaga> sagas(std::int64_t after, std::size_t most);
    void erase_event(std::int64_t seq);
    /// With all that is known of it here.
    void erase_saga(std::int64_t key);

  private:
    Statement events_, sagas_, event_;
    std::vector<Statement> saga_;
};

}  // namespace saga::store
