// Orders for the shop, or for its floor, and how long each took to be confirmed or rejected; or
// tickets for a chain of services, each with a payload. Prints one JSON object.
//
// With a rate the loop is open: an order's time begins when it was due, whether or not it could be
// sent then, so that a service that stalls is not asked less meanwhile.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <deque>
#include <functional>
#include <nlohmann/json.hpp>
#include <saga/detail/event_type.hpp>
#include <thread>

#include "chain_events.hpp"
#include "saga/core/envelope.hpp"
#include "shop_events.hpp"
#include "tests/bench/floor/wire.hpp"

namespace {

using namespace shop;
using bench::Wire;
using std::chrono::steady_clock;

constexpr std::size_t kUnanswered = 512;  // requests on their way
constexpr int kCustomers = 500;
constexpr int kTooMany = 121;  // units: the carrier refuses, and all before is undone
constexpr auto kPatience = std::chrono::seconds(60);  // without any order's end

struct Given {
    std::string url, prefix = "o", sku = "THING", ends = "saga.order.ended.>";
    std::size_t orders = 1'000, window = 1'000;
    double rate = 0, failing = 0;
    std::int64_t credit = 0;
    std::size_t links = 0, payload = 100;
};

/// Who is asked, by which events a saga ends, and what is asked for the nth one.
struct Work {
    std::string asks, ends;
    std::function<std::vector<std::byte>(std::string id, std::size_t nth)> body;
};

Work orders(const Given& given) {
    return {
        "saga-ctl.order.place", given.ends, [given](std::string id, std::size_t nth) {
            const double share = given.failing * static_cast<double>(nth);
            const bool fails = std::floor(share + given.failing) > std::floor(share);
            return saga::detail::pack(PlaceOrder{
                .order_id = std::move(id),
                .customer_id = fmt::format("c{}", nth % kCustomers),
                .lines = {Line{
                    .sku = given.sku, .quantity = fails ? kTooMany : 1, .unit_price_cents = 100}}});
        }};
}

Work tickets(const Given& given) {
    return {"saga-ctl.link0.start", fmt::format("saga.link{}.ended.>", given.links - 1),
            [load = std::vector<std::uint8_t>(given.payload, 'x')](std::string id, std::size_t) {
                return saga::detail::pack(chain::Start{.ticket = std::move(id), .load = load});
            }};
}

struct Order {
    steady_clock::time_point due{};
    double ms = -1;
};

class Load {
  public:
    explicit Load(Given given)
        : given_(std::move(given)),
          work_(given_.links > 0 ? tickets(given_) : orders(given_)),
          wire_(given_.url),
          orders_(given_.orders) {
        replies_ = wire_.subscribe(wire_.inbox() + ".r.*");
        ends_ = wire_.subscribe(work_.ends);
        wire_.ask("$JS.API.INFO", {});  // the subscriptions stand
        if (given_.credit > 0)
            wire_.ask("bank.credit", saga::detail::pack(Credit{.amount_cents = given_.credit}));
    }

    void run() {
        begun_ = moved_ = steady_clock::now();
        while (ended_ < orders_.size()) {
            const auto now = steady_clock::now();
            send(now);
            wire_.flush();
            wire_.wait(pause(now));
            wire_.read();
            take();
            if (steady_clock::now() - moved_ > kPatience)
                throw std::runtime_error(fmt::format(
                    "{} of {} have ended, and no other has for a minute", ended_, orders_.size()));
        }
    }

    nlohmann::ordered_json result() {
        const double seconds = std::chrono::duration<double>(last_end_ - begun_).count();
        std::vector<double> took;
        for (const Order& order : orders_) took.push_back(order.ms);
        std::sort(took.begin(), took.end());
        const auto at = [&](double part) {
            const auto rank =
                static_cast<std::size_t>(std::ceil(part * static_cast<double>(took.size())));
            return std::round(took.at(std::max<std::size_t>(rank, 1) - 1) * 1000) / 1000;
        };
        return {{"orders", orders_.size()},
                {"confirmed", confirmed_},
                {"rejected", ended_ - confirmed_},
                {"seconds", std::round(seconds * 1000) / 1000},
                {"sagas_per_second",
                 std::round(static_cast<double>(orders_.size()) / seconds * 10) / 10},
                {"p50_ms", at(0.5)},
                {"p99_ms", at(0.99)},
                {"p999_ms", at(0.999)},
                {"max_ms", at(1)}};
    }

  private:
    steady_clock::time_point due(std::size_t nth) const {
        return begun_ + std::chrono::duration_cast<steady_clock::duration>(
                            std::chrono::duration<double>(static_cast<double>(nth) / given_.rate));
    }
    bool ready(steady_clock::time_point now) const {
        if (next_ >= orders_.size() || unanswered_ >= kUnanswered) return false;
        if (given_.rate > 0) return due(next_) <= now;
        return next_ - ended_ < given_.window;
    }
    std::chrono::nanoseconds pause(steady_clock::time_point now) const {
        using namespace std::chrono_literals;
        if (!again_.empty()) return 1ms;
        if (given_.rate <= 0 || next_ >= orders_.size() || unanswered_ >= kUnanswered) return 1s;
        return std::max<std::chrono::nanoseconds>(due(next_) - now, 0ns);
    }

    void send(steady_clock::time_point now) {
        for (; !again_.empty() && unanswered_ < kUnanswered; again_.pop_front())
            place(again_.front());
        for (; ready(now); ++next_) {
            orders_[next_].due = given_.rate > 0 ? due(next_) : now;
            place(next_);
        }
    }
    void place(std::size_t nth) {
        wire_.publish(work_.asks, fmt::format("{}.r.{}", wire_.inbox(), nth),
                      work_.body(fmt::format("{}-{}", given_.prefix, nth), nth));
        ++unanswered_;
    }

    void take() {
        while (natsMsg* reply = wire_.next(replies_)) {
            --unanswered_;
            const std::string body(bench::body_of(reply));
            const std::string_view subject = natsMsg_GetSubject(reply);
            if (body.find("\"accepted\"") == std::string::npos) {
                if (body.find("\"busy\"") == std::string::npos)
                    throw std::runtime_error("an order is refused: " + body);
                again_.push_back(std::stoul(std::string(subject.substr(subject.rfind('.') + 1))));
            }
        }
        while (natsMsg* event = wire_.next(ends_)) {
            const std::string_view body = bench::body_of(event);
            const auto bytes = std::as_bytes(std::span(body));
            end(std::vector<std::byte>(bytes.begin(), bytes.end()));
        }
    }
    void end(const std::vector<std::byte>& bytes) {
        const auto read = saga::core::decode(bytes);
        const auto* envelope = std::get_if<saga::core::Envelope>(&read);
        if (envelope == nullptr || !envelope->saga.starts_with(given_.prefix + "-")) return;
        Order& order =
            orders_.at(std::stoul(std::string(envelope->saga.substr(given_.prefix.size() + 1))));
        if (order.ms >= 0) return;  // published again
        moved_ = last_end_ = steady_clock::now();
        order.ms = std::chrono::duration<double, std::milli>(last_end_ - order.due).count();
        ++ended_;
        if (envelope->type.ends_with(".OrderConfirmed")) ++confirmed_;
    }

    Given given_;
    Work work_;
    Wire wire_;
    std::vector<Order> orders_;
    std::deque<std::size_t> again_;  ///< the service had too many to do
    natsSubscription *replies_ = nullptr, *ends_ = nullptr;
    std::size_t next_ = 0, ended_ = 0, confirmed_ = 0, unanswered_ = 0;
    steady_clock::time_point begun_, moved_, last_end_;
};

}  // namespace

int main(int argc, char** argv) {
    Given given;
    CLI::App app{"Orders for the shop or its floor, or tickets for a chain; how long each took.",
                 "load"};
    app.add_option("url", given.url, "of the nats-server")->required();
    app.add_option("--orders", given.orders)->check(CLI::Range(1, 10'000'000));
    app.add_option("--prefix", given.prefix, "of the orders' ids: new for each run");
    app.add_option("--window", given.window, "orders under way at once, without a rate");
    app.add_option("--rate", given.rate, "orders a second, whatever becomes of them");
    app.add_option("--failing", given.failing, "part of the orders that the carrier refuses")
        ->check(CLI::Range(0.0, 1.0));
    app.add_option("--sku", given.sku,
                   "what is ordered: of what was never delivered nothing is paid");
    app.add_option("--ends", given.ends, "the subjects by which the orders end");
    app.add_option("--credit", given.credit, "cents that each account at the bank opens with");
    app.add_option("--links", given.links, "of the chain that takes tickets in place of orders")
        ->check(CLI::Range(2, 16));
    app.add_option("--payload", given.payload, "bytes that each ticket carries")
        ->check(CLI::Range(0, 200'000));
    try {
        app.parse(argc, argv);
        Load load(given);
        load.run();
        fmt::print("{}\n", load.result().dump());
        return 0;
    } catch (const CLI::ParseError& error) {
        return app.exit(error);
    } catch (const std::exception& failure) {
        fmt::print(stderr, "load: {}\n", failure.what());
        return 1;
    }
}
