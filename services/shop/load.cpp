// shop load: orders without end, and a line about what each was told.
#include <fmt/format.h>
#include <pthread.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <csignal>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "services/shop/command.hpp"
#include "services/shop/files.hpp"

namespace shop {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

constexpr std::size_t kSenders = 16;  // threads that wait for an answer each
constexpr int kAsks = 3;              // of a request without an answer; then its fate is unknown
constexpr std::uint64_t kCancelled = 12;  // one order of so many
constexpr int kUnits = 1'000'000;         // of each product on the shelf
constexpr int kScarceUnits = 500;         // of the one that many want

struct Given {
    std::string file, prefix;
    double rate = 50;
    int hot = 0;
    money::Cents credit_cents = 20'000'000;
};

/// Orders that end in every way: a scarce product, parcels that are too heavy, customers who run
/// out of money. Every other one is of `hot` customers for `hot` products, if that is not 0: sagas
/// that want the same account and the same shelf at once.
std::vector<FileOrder> made_orders(int hot) {
    constexpr int kOrders = 200;
    std::vector<FileOrder> orders;
    for (int i = 0; i < kOrders; ++i) {
        const bool scarce = i % 5 == 0, heavy = i % 23 == 1, dear = i % 17 == 2;
        const std::string wanted = hot > 0 && i % 2 == 0 ? fmt::format("HOT-{}", i / 2 % hot) : "";
        PlaceOrder order{
            .order_id = fmt::format("{}", i),
            .customer_id = wanted.empty() ? fmt::format("customer-{}", i % 13) : wanted};
        const std::string sku = scarce ? "LOAD-SCARCE" : fmt::format("LOAD-{}", i % 7);
        order.lines.push_back({.sku = wanted.empty() ? sku : wanted,
                               .quantity = heavy ? 130 : 1 + i % 4,
                               .unit_price_cents = dear ? 90'000'000 : 100 + i % 9});
        if (i % 3 == 0)
            order.lines.push_back({.sku = "LOAD-0", .quantity = 1, .unit_price_cents = 50});
        orders.push_back({std::move(order), {}});
    }
    return orders;
}

class Load {
  public:
    Load(const Options& options, Given given)
        : options_(options),
          given_(std::move(given)),
          orders_(given_.file.empty() ? made_orders(given_.hot)
                                      : read_orders(given_.file, read_file(given_.file))) {
        sigemptyset(&stops_);
        for (const int signal : {SIGTERM, SIGINT}) sigaddset(&stops_, signal);
        pthread_sigmask(SIG_BLOCK, &stops_, nullptr);  // before any thread is made
        if (given_.prefix.empty()) given_.prefix = fmt::format("{:08x}", std::random_device{}());
    }

    void run() {
        const auto client = answer_of(options_, [&] { return options_.connect(); });
        client_ = client.get();
        seed();
        std::vector<std::jthread> senders;
        for (std::size_t i = 0; i < kSenders; ++i) senders.emplace_back([this] { send(); });
        sigwait_for_stop();
        stopped_ = true;
    }

  private:
    void sigwait_for_stop() const {
        int signal = 0;
        sigwait(&stops_, &signal);
    }

    /// Enough of everything but of what is scarce. The same delivery twice is one.
    void seed() {
        answer_of(options_, [&] {
            return client_->request<Credited>("bank.credit",
                                              Credit{.amount_cents = given_.credit_cents});
        });
        std::map<std::string, int> units;
        for (const FileOrder& order : orders_)
            for (const Line& line : order.order.lines)
                units[line.sku] = line.sku == "LOAD-SCARCE" ? kScarceUnits : kUnits;
        for (const auto& [sku, count] : units) {
            const StockProduct delivery{.delivery_id = fmt::format("{}-{}", given_.prefix, sku),
                                        .sku = sku,
                                        .name = sku,
                                        .units = count};
            answer_of(options_, [&] { return client_->command("inventory", "stock", delivery); });
        }
    }

    void send() {
        const auto begun = steady_clock::now();
        while (!stopped_) {
            const std::size_t nth = next_++;
            const auto due =
                begun + std::chrono::duration_cast<steady_clock::duration>(
                            std::chrono::duration<double>(static_cast<double>(nth) / given_.rate));
            while (!stopped_ && steady_clock::now() < due)
                std::this_thread::sleep_for(
                    std::min<steady_clock::duration>(due - steady_clock::now(), 50ms));
            if (!stopped_) place(nth);
        }
    }

    void place(std::size_t nth) {
        PlaceOrder order = orders_[nth % orders_.size()].order;
        order.order_id =
            fmt::format("{}-{}-{}", given_.prefix, nth / orders_.size(), order.order_id);
        const auto tell = [&](std::string_view result, std::string_view why) {
            const std::lock_guard lock(mutex_);
            fmt::print("{}\n", nlohmann::ordered_json{{"key", order.order_id},
                                                      {"service", "order"},
                                                      {"command", "place"},
                                                      {"result", result},
                                                      {"why", why}}
                                   .dump());
            std::fflush(stdout);
        };
        std::string trouble;
        for (int i = 0; i < kAsks; ++i) {
            try {
                const auto refused = client_->command("order", "place", order);
                if (refused) return tell("fail", refused->code + ": " + refused->why);
                tell("ok", "");
                return nth % kCancelled == 0 ? cancel(order.order_id) : void();
            } catch (const saga::Error& error) {
                trouble = error.what();
            }
            if (stopped_) break;
        }
        tell("unknown", trouble);
    }

    /// Whether it comes in time is shipping's to say; whether it is heard at all is not told.
    void cancel(const std::string& order_id) {
        try {
            client_->command("order", "cancel", CancelOrder{.order_id = order_id});
        } catch (const saga::Error&) {
            return;
        }
    }

    const Options& options_;
    Given given_;
    const std::vector<FileOrder> orders_;
    saga::Client* client_ = nullptr;
    sigset_t stops_{};
    std::atomic<bool> stopped_ = false;
    std::atomic<std::size_t> next_ = 0;
    std::mutex mutex_;  // of stdout
};

}  // namespace

void add_load(CLI::App& app, Options& options) {
    auto given = std::make_shared<Given>();
    CLI::App* command =
        app.add_subcommand("load", "Place orders until it is stopped, and say what each was told");
    command->footer(
        "Fills the shelves first. A line for each order: {\"key\":ID,\"result\":\"ok\"}, or "
        "\"fail\" where it was\nrefused, or \"unknown\" where nobody answered. `saga chaos` reads "
        "them.\nExample:\n  shop load --rate 50");
    CLI::Option* file = command->add_option("--orders", given->file,
                                            "taken again and again, each time under new ids");
    command
        ->add_option("--hot", given->hot,
                     "every other order is of one of so many customers, for one of so many "
                     "products: sagas\nthat fight for the same rows")
        ->check(CLI::Range(1, 100))
        ->excludes(file);
    command->add_option("--rate", given->rate, "orders a second")->check(CLI::Range(0.1, 1e5));
    command->add_option("--prefix", given->prefix, "of the ids; otherwise a new one each time");
    command->add_option("--credit", given->credit_cents, "cents that an account opens with");
    command->callback([&options, given] { Load(options, *given).run(); });
}

}  // namespace shop
