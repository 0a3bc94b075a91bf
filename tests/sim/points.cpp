#include "tests/sim/points.hpp"

#include <fmt/format.h>

#include <map>
#include <saga/saga.hpp>

#include "points_events.hpp"
#include "saga/store/statement.hpp"
#include "shop_events.hpp"

namespace saga::sim {
namespace {

constexpr auto kTables = R"sql(
    CREATE TABLE account (
        customer_id TEXT PRIMARY KEY,
        points      INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE earning (
        order_id    TEXT PRIMARY KEY,
        customer_id TEXT NOT NULL,
        points      INTEGER NOT NULL,
        balance     INTEGER NOT NULL,
        booked      INTEGER NOT NULL DEFAULT 0
    ) STRICT;
)sql";
constexpr auto kBalance = "SELECT points FROM account WHERE customer_id = ?1";
constexpr auto kEarn =
    "INSERT INTO earning (order_id, customer_id, points, balance) VALUES (?1, ?2, ?3, ?4)";
constexpr auto kForget = "DELETE FROM earning WHERE order_id = ?1";
constexpr auto kBooked = "UPDATE earning SET booked = 1 WHERE order_id = ?1";
constexpr auto kAccount = R"sql(
    INSERT INTO account SELECT customer_id, balance + points FROM earning WHERE order_id = ?1
        ON CONFLICT DO UPDATE SET points = excluded.points)sql";

club::PointsEarned earn(Tx& tx, const shop::PaymentTaken& taken) {
    tx.lock({"customer " + taken.customer_id});  // nobody else reads the balance before book
    const auto balance = tx.find<std::int64_t>(kBalance, taken.customer_id).value_or(0);
    tx.exec(kEarn, taken.order_id, taken.customer_id, taken.amount_cents, balance);
    return {.order_id = taken.order_id, .points = taken.amount_cents};
}

club::PointsForgotten forget(Tx& tx, const club::PointsEarned& earned) {
    tx.exec(kForget, earned.order_id);
    return {.order_id = earned.order_id};
}

Outcome<void> book(Tx& tx, const shop::OrderConfirmed& order) {
    if (tx.exec(kBooked, order.order_id) == 0) return later("its payment was not read yet");
    tx.exec(kAccount, order.order_id);
    return {};
}

using Points = std::map<std::string, std::int64_t>;

Points points_of(store::Store& store, std::string_view select) {
    Points points;
    store::Statement statement(store.db(), select);
    store::Rows rows = statement.query();
    while (rows.next()) points[std::string(rows.text(0))] = rows.integer(1);
    return points;
}

}  // namespace

Service points_service() {
    Service service{"points", kTables};
    service.step("earn", earn).undo(forget);
    service.step("book", book).keeps();
    return service;
}

std::vector<std::string> wrong_points(store::Store& points, const shop::Books& books) {
    std::vector<std::string> wrong;
    const Points booked = points_of(points, "SELECT order_id, booked FROM earning");
    for (const auto& [id, order] : books.orders)
        if ((order.state == "confirmed") != (booked.contains(id) && booked.at(id) == 1))
            wrong.push_back(fmt::format("order {} is {}, and its points are {}", id, order.state,
                                        booked.contains(id) ? "earned" : "not earned"));
    const Points have = points_of(points, "SELECT customer_id, points FROM account");
    Points earned = points_of(
        points, "SELECT customer_id, sum(points) FROM earning WHERE booked = 1 GROUP BY 1");
    for (const auto& [customer, sum] : have)
        if (earned[customer] != sum)
            wrong.push_back(fmt::format("{} has {} points, and earned {}: an update is lost",
                                        customer, sum, earned[customer]));
    return wrong;
}

}  // namespace saga::sim
