// One service of an explored landscape: its states, each worked out once.
#pragma once

#include <bitset>
#include <deque>
#include <optional>
#include <unordered_map>

#include "tests/unit/core/explore.hpp"

namespace saga::test {

inline constexpr std::size_t kMostMessages = 192;
using MessageSet = std::bitset<kMostMessages>;

/// Every event that was published in any state, by number: the same event from the same cause is
/// the same one.
class Messages {
  public:
    explicit Messages(const Landscape& landscape)
        : landscape_(landscape),
          wanted_(landscape.services.size()),
          allows_(landscape.clients.size()),
          said_(landscape.clients.size()) {}

    /// `service` publishes it; its number.
    std::size_t add(std::size_t service, const Published& event);
    core::Message message(std::size_t number) const;

    std::size_t size() const { return all_.size(); }
    const MessageSet& wanted_by(std::size_t service) const { return wanted_[service]; }
    const MessageSet& failures() const { return failures_; }
    const MessageSet& successes() const { return successes_; }  ///< last words of the way forward
    std::set<std::string> names(const MessageSet& messages) const;
    const EventId& id(std::size_t number) const { return all_[number].id; }
    std::string name(std::size_t number) const {
        return std::string(all_[number].event.type->name);
    }
    /// Whether the client can have it published now.
    bool can_come(std::size_t client, const MessageSet& published) const;

  private:
    struct Content {
        Published event;
        std::size_t service = 0;
        EventId id;
    };
    bool wants(std::size_t service, const Content& message) const;
    const Landscape& landscape_;
    std::deque<Content> all_;
    std::map<std::string, std::size_t> numbers_;
    std::vector<MessageSet> wanted_;         // by service
    std::vector<MessageSet> allows_, said_;  // by client
    MessageSet failures_, successes_;
};

struct Move {
    std::string label;
    std::uint32_t to = 0;
    bool optional = false;  ///< It need not happen: nothing is at rest that waits for another one.
    std::vector<std::string> violations = {};
};

/// A database, and what of the landscape it has seen.
struct ServiceState {
    Stored stored;
    MessageSet published, seen;
    bool dead = false;     ///< Something waits for an operator.
    bool blocked = false;  ///< A new event would wait behind another one.
};

class ExploredService {
  public:
    ExploredService(const Landscape& landscape, std::size_t nth, Messages& messages);

    std::size_t size() const { return states_.size(); }
    const ServiceState& state(std::uint32_t at) const { return states_[at]; }
    const std::string& name() const { return contract().service; }
    /// Attempts, answers, deadlines, operators, second readings.
    const std::deque<Move>& by_itself(std::uint32_t at);
    const std::deque<Move>& delivered(std::uint32_t at, std::size_t message);
    const std::deque<Move>& asked(std::uint32_t at, std::size_t client);

    /// Steps of a saga that failed so, which nobody takes back.
    void standing(std::uint32_t at, const std::set<std::string>& failures,
                  std::vector<std::string>& found) const;
    /// What waits for something that will not come.
    void open(std::uint32_t at, std::vector<std::string>& found) const;

  private:
    struct Item {
        std::string label;
        std::function<void(core::Saga&)> work;
        bool optional = false;
        std::optional<std::size_t> message = {};  ///< that is read
        bool second_reading = false;
    };
    using Moves = std::deque<Move>;
    const detail::Contract& contract() const { return landscape_.services[nth_].contract(); }
    std::uint32_t intern(ServiceState state);
    void take(std::uint32_t at, const Item& item, Moves& moves);
    void publish(ServiceState& state, const std::vector<Published>& events, Move& move);
    void attempts(std::uint32_t at, Moves& moves);
    void operators(std::uint32_t at, Moves& moves);
    void answers(std::uint32_t at, Moves& moves);
    void second_readings(std::uint32_t at, Moves& moves);
    std::vector<core::Attempt> outcomes(const Handling& handling, const Stored& stored) const;

    const Landscape& landscape_;
    std::size_t nth_;
    Messages& messages_;
    std::deque<ServiceState> states_;
    std::unordered_map<std::string, std::uint32_t> index_;
    std::unordered_map<std::uint64_t, Moves> by_itself_, delivered_, asked_;
};

}  // namespace saga::test
