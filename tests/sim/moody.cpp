#include "tests/sim/moody.hpp"

#include <fmt/format.h>

#include <map>
#include <memory>
#include <saga/saga.hpp>
#include <set>

#include "saga/core/limits.hpp"
#include "saga/store/statement.hpp"
#include "shop_events.hpp"

namespace saga::sim {
namespace {

constexpr auto kTables = R"sql(
    CREATE TABLE noted (order_id TEXT PRIMARY KEY) STRICT;
    CREATE TABLE expected (order_id TEXT PRIMARY KEY) STRICT;
    CREATE TABLE closed (order_id TEXT PRIMARY KEY) STRICT;
)sql";
constexpr auto kIsNoted = "SELECT 1 FROM noted WHERE order_id = ?1";
constexpr auto kNote = "INSERT INTO noted VALUES (?1)";
constexpr auto kExpect = "INSERT INTO expected VALUES (?1)";
constexpr auto kClose = "INSERT INTO closed VALUES (?1)";

/// How often the step fails in this saga: in every other one, and of ten in one until it is given
/// up.
int failures_of(const std::string& saga) {
    if (saga.back() == '7') return core::kEventAttempts;
    return saga.back() % 2 == 0 ? 3 : 0;
}

Outcome<void> expect(Tx& tx, const shop::StockReserved& reserved) {
    if (!tx.find<std::int64_t>(kIsNoted, reserved.order_id))
        return later("its payment was not read yet");
    tx.exec(kExpect, reserved.order_id);
    return {};
}

void close(Tx& tx, const shop::OrderConfirmed& order) {
    tx.exec(kClose, order.order_id);
}

}  // namespace

Service moody_service() {
    const auto failed = std::make_shared<std::map<std::string, int>>();
    const auto note = [failed](Tx& tx, const shop::PaymentTaken& taken) {
        if ((*failed)[tx.saga_id()]++ < failures_of(tx.saga_id())) throw Error(kOutOfSorts);
        tx.exec(kNote, taken.order_id);
    };
    Service service{"moody", kTables};
    service.step("expect", expect).keeps();
    service.step("note", note).keeps();
    service.step("close", close).keeps();
    return service;
}

std::vector<std::string> wrong_moods(store::Store& moody, const shop::Books& books) {
    std::vector<std::string> wrong;
    for (const char* table : {"expected", "noted", "closed"}) {
        std::set<std::string> orders;
        store::Statement statement(moody.db(), fmt::format("SELECT order_id FROM {}", table));
        store::Rows rows = statement.query();
        while (rows.next()) orders.emplace(rows.text(0));
        for (const auto& [id, order] : books.orders)
            if (order.state == "confirmed" && !orders.contains(id))
                wrong.push_back(fmt::format("order {} is confirmed, and not {}", id, table));
    }
    return wrong;
}

}  // namespace saga::sim
