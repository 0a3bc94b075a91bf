// Places many orders at once, and waits until each has ended.
#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <unordered_map>
#include <vector>

#include "services/shop/command.hpp"
#include "services/shop/files.hpp"

namespace shop {

class Importer {
  public:
    struct Settings {
        std::size_t window = 256;  ///< orders that are placed and have not ended, at most
        double rate = 0;           ///< orders a second, at most; 0: as fast as it goes
        std::chrono::seconds patience{60};
    };
    struct Refusal {
        std::string order_id, code, why;
    };
    struct Summary {
        std::size_t orders = 0, confirmed = 0;
        std::map<std::string, std::size_t> rejected;  ///< by the failure that rejected them
        std::vector<Refusal> refused;                 ///< what order did not accept
        double seconds = 0;
        std::vector<double> took_ms;  ///< from request to last word, of each that ended; sorted

        /// How long this part of the orders took at most: 0.5 is the median. 0 where none ended.
        double took_ms_of(double part) const;
    };

    Importer(saga::Client& client, std::vector<FileOrder> orders, Settings settings);

    /// Returns when every order was refused, or was accepted and has ended. An order may have been
    /// placed before, and may have ended before: it counts as it ended. Goes on while services and
    /// the broker die and come back; throws Stop(kUnreachable) when nothing moves for as long as
    /// the patience. `on_move` is told now and then how many orders are done.
    Summary run(const std::function<void(std::size_t)>& on_move);

  private:
    using Steady = std::chrono::steady_clock::time_point;
    struct Standing {
        bool accepted = false, refused = false, ended = false;
        std::string rejected_by;
        Steady asked{};
        bool done() const { return refused || (accepted && ended); }
    };

    void send();
    std::optional<std::size_t> next();
    void place(std::size_t index);
    void answered(std::size_t index, const std::optional<saga::Refused>& refused);
    void heard(const saga::Ended& word);
    void watch(const std::function<void(std::size_t)>& on_move);
    void settle(const Standing& order);
    void give_up(const std::string& why);

    saga::Client& client_;
    const std::vector<FileOrder> orders_;
    const Settings settings_;
    std::unordered_map<std::string_view, std::size_t> index_;
    std::stop_source stop_;

    std::mutex mutex_;  // what follows
    std::condition_variable room_;
    std::vector<Standing> states_;
    std::size_t next_ = 0, done_ = 0;
    Summary summary_;
    std::string trouble_;
    Steady begun_, moved_;
};

}  // namespace shop
