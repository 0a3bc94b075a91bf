#include "services/shop/importer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

namespace shop {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

constexpr std::size_t kSenders = 32;  // threads that wait for an answer each
constexpr auto kQuiet = 10s;          // without a last word: then all of them are read again

}  // namespace

Importer::Importer(saga::Client& client, std::vector<FileOrder> orders, Settings settings)
    : client_(client),
      orders_(std::move(orders)),
      settings_(settings),
      states_(orders_.size()),
      begun_(steady_clock::now()),
      moved_(begun_) {
    for (std::size_t i = 0; i < orders_.size(); ++i) index_.emplace(orders_[i].order.order_id, i);
    summary_.orders = orders_.size();
}

Importer::Summary Importer::run(const std::function<void(std::size_t)>& on_move) {
    {
        std::vector<std::jthread> senders;  // joined at the end of this block, whatever ends it
        const std::size_t count = std::min({kSenders, settings_.window, orders_.size()});
        for (std::size_t i = 0; i < count; ++i) senders.emplace_back([this] { send(); });
        try {
            watch(on_move);
        } catch (const std::exception& failure) {
            give_up(failure.what());
        }
    }
    if (!trouble_.empty()) throw Stop(kUnreachable, trouble_);
    std::sort(summary_.took_ms.begin(), summary_.took_ms.end());
    return summary_;
}

double Importer::Summary::took_ms_of(double part) const {
    if (took_ms.empty()) return 0;
    const double last = static_cast<double>(took_ms.size() - 1);
    return took_ms[static_cast<std::size_t>(part * last)];
}

// ---- sending ------------------------------------------------------------------------------------

void Importer::send() {
    try {
        while (const auto index = next()) place(*index);
    } catch (const std::exception& failure) {
        give_up(failure.what());
    }
}

/// Waits for room in the window and for the order's time.
std::optional<std::size_t> Importer::next() {
    std::unique_lock lock(mutex_);
    while (!stop_.stop_requested() && next_ < orders_.size()) {
        if (next_ - done_ >= settings_.window) {
            room_.wait(lock);
            continue;
        }
        const double wait = settings_.rate > 0 ? static_cast<double>(next_) / settings_.rate : 0;
        const auto due = begun_ + std::chrono::duration_cast<steady_clock::duration>(
                                      std::chrono::duration<double>(wait));
        const auto now = steady_clock::now();
        if (now >= due) {
            states_[next_].asked = now;
            return next_++;
        }
        room_.wait_until(lock, due);
    }
    return std::nullopt;
}

void Importer::place(std::size_t index) {
    const PlaceOrder& order = orders_[index].order;
    std::optional<saga::Refused> refused;
    until_answered(
        settings_.patience, [&] { refused = client_.command("order", "place", order); },
        [&] { return stop_.stop_requested(); });
    answered(index, refused);
}

void Importer::answered(std::size_t index, const std::optional<saga::Refused>& refused) {
    const std::lock_guard lock(mutex_);
    Standing& order = states_[index];
    (refused ? order.refused : order.accepted) = true;
    if (refused)
        summary_.refused.push_back({orders_[index].order.order_id, refused->code, refused->why});
    settle(order);
}

// ---- waiting ------------------------------------------------------------------------------------

void Importer::watch(const std::function<void(std::size_t)>& on_move) {
    const auto on_word = [&](const saga::Ended& word) {
        heard(word);
        std::size_t done = 0;
        {
            const std::lock_guard lock(mutex_);
            done = done_;
        }
        on_move(done);
        return done < orders_.size();
    };
    const auto quiet = std::min<std::chrono::milliseconds>(kQuiet, settings_.patience);
    while (!client_.watch_ended(on_word, quiet, stop_.get_token()) && !stop_.stop_requested()) {
        const std::lock_guard lock(mutex_);
        const auto still = steady_clock::now() - moved_;
        if (still <= settings_.patience) continue;
        const auto stuck = std::find_if(states_.begin(), states_.end(),
                                        [](const auto& order) { return !order.done(); });
        const auto index = static_cast<std::size_t>(stuck - states_.begin());
        throw Stop(kUnreachable, fmt::format("{} orders have not ended, and nothing has moved for "
                                             "{} s: look at the first with `saga show {}`",
                                             orders_.size() - done_, settings_.patience.count(),
                                             orders_[index].order.order_id));
    }
}

void Importer::heard(const saga::Ended& word) {
    const auto known = index_.find(word.saga_id);
    if (known == index_.end()) return;
    const std::lock_guard lock(mutex_);
    Standing& order = states_[known->second];
    if (order.ended) return;  // a word can be told twice
    order.ended = true;
    order.rejected_by = word.because;
    settle(order);
}

/// After a change to the order: whether it is done now.
void Importer::settle(const Standing& order) {
    moved_ = steady_clock::now();
    if (!order.done()) return;
    ++done_;
    if (!order.refused) {
        const std::chrono::duration<double, std::milli> took = moved_ - order.asked;
        summary_.took_ms.push_back(took.count());
        if (order.rejected_by.empty())
            ++summary_.confirmed;
        else
            ++summary_.rejected[order.rejected_by];
    }
    summary_.seconds = std::chrono::duration<double>(moved_ - begun_).count();
    room_.notify_all();
    if (done_ == orders_.size()) stop_.request_stop();
}

void Importer::give_up(const std::string& why) {
    const std::lock_guard lock(mutex_);
    if (trouble_.empty() && done_ < orders_.size()) trouble_ = why;
    stop_.request_stop();
    room_.notify_all();
}

}  // namespace shop
