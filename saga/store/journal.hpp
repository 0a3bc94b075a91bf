// What is known here of each saga: its row, what each step did, the halves that came first.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "saga/core/saga.hpp"
#include "saga/store/statement.hpp"

namespace saga::store {

class Sagas {
  public:
    explicit Sagas(const Database& db);

    /// Key 0 when the saga is unknown here; then only its id is set.
    core::SagaRow find(std::string_view id);
    core::SagaRow find(std::int64_t key);
    /// Sets the row's key. `now` is when it was last touched.
    void insert(core::SagaRow& row, Time now);
    void mark(const core::SagaRow& row, Time now);
    void touch(std::int64_t key, Time now);
    /// As touch(), to the hour: what only reads writes no row for each event.
    void heard(std::int64_t key, Time now);

  private:
    Statement by_id_, by_key_, insert_, mark_, touch_;
};

class Journal {
  public:
    explicit Journal(const Database& db);

    void load(std::int64_t saga, std::vector<core::StepRow>& rows);
    void put(std::int64_t saga, const core::StepRow& row);
    /// As put, and adds the names of what was published; `result` empty: as it is.
    void put_ran(std::int64_t saga, const core::StepRow& row, std::string_view outcome,
                 std::optional<Bytes> result);
    /// The names of what was published, and what an undo or a timer will be given.
    std::pair<std::string, std::vector<std::byte>> kept(std::int64_t saga,
                                                        const core::StepRow& row);
    /// Whether a step or an undo of the saga published an event of that name.
    bool published(std::int64_t saga, std::string_view event);

  private:
    Statement load_, put_, put_ran_, kept_, published_;
};

class Arrived {
  public:
    explicit Arrived(const Database& db);

    struct Half {
        std::uint32_t slot = 0;
        std::vector<std::byte> envelope;
    };
    void load(std::int64_t saga, std::vector<core::Arrived>& rows);
    void insert(std::int64_t saga, const core::Arrived& half, Bytes envelope);
    void erase(std::int64_t saga, const core::Arrived& half);
    /// The envelopes of a step's halves, by slot.
    std::vector<Half> halves(std::int64_t saga, std::string_view step, const EventId& run);
    void forget_envelopes(std::int64_t saga, std::string_view step, const EventId& run);

  private:
    Statement load_, insert_, erase_, halves_, forget_;
};

}  // namespace saga::store
