#include "tests/verify/damage.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "saga/store/statement.hpp"
#include "services/bank/ledger.hpp"
#include "services/inventory/inventory.hpp"
#include "services/order/order.hpp"
#include "services/payment/payment.hpp"
#include "services/shipping/shipping.hpp"
#include "tests/landscape/landscape.hpp"

namespace saga::testing {
namespace {

using namespace std::chrono_literals;

void run(sqlite3* db, const std::string& sql) {
    const int code = sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) store::raise(db, code, sql);
}

runtime::Ask bank_in(shop::Ledger& ledger) {
    return [&ledger](std::string_view subject, Bytes question, std::string_view key, auto) {
        shop::Receipt receipt;
        ledger.write([&] {
            receipt = subject == "bank.charge"
                          ? ledger.charge(key, detail::unpack<shop::Charge>(question))
                          : ledger.refund(key, detail::unpack<shop::Refund>(question));
        });
        return detail::pack(receipt);
    };
}

shop::Ledger& bank() {
    static shop::Ledger ledger(":memory:");
    return ledger;
}

void order(Village& village, const std::string& id, const std::string& sku, int units) {
    village.command(
        "order", "place",
        shop::PlaceOrder{.order_id = id,
                         .customer_id = "ann",
                         .lines = {{.sku = sku, .quantity = units, .unit_price_cents = 100}}});
}

}  // namespace

Village& small_village() {
    static Village village({asker(), granter(), auditor(), reader()});
    static const bool once = [] {
        for (const auto& [ticket, amount] : std::vector<std::pair<std::string, int>>{
                 {"held-1", 20}, {"held-2", 30}, {"undone-1", 13}, {"denied-1", 90}, {"none", -1}})
            village.command("asker", "ask", test::Ask{.ticket = ticket, .amount = amount});
        return true;
    }();
    CHECK(once);
    return village;
}

Village& shop_village() {
    static Village village(
        {order_service(), inventory_service(), payment_service(), shipping_service()},
        bank_in(bank()));
    static const bool once = [] {
        bank().write([] { bank().credit("", shop::Credit{.amount_cents = 100'000}); });
        village.command("inventory", "stock",
                        shop::StockProduct{.delivery_id = "d-1", .sku = "tea", .units = 500});
        order(village, "held-1", "tea", 2);
        order(village, "held-2", "tea", 3);
        order(village, "short-1", "coffee", 1);
        order(village, "refused-1", "tea", 130);
        order(village, "refused-2", "tea", 140);
        village.command("order", "cancel", shop::CancelOrder{.order_id = "held-1"});
        village.elapse(2h);
        return true;
    }();
    CHECK(once);
    return village;
}

shop::BankBooks ask_bank(const shop::AskBooks& asked) {
    return bank().books(asked);
}

std::string lines(const std::vector<verify::Violation>& violations) {
    std::string all;
    for (const verify::Violation& each : violations)
        all += fmt::format("{} {} {}: {}\n", each.invariant, each.service, each.saga, each.what);
    return all;
}

std::vector<verify::Violation> damaged(Village& village, const std::string& service,
                                       const std::string& sql, const verify::Options& options) {
    sqlite3* db = village.db(service);
    run(db, "BEGIN");
    run(db, sql);
    const int changes = sqlite3_changes(db);
    auto found = verify::check(village.landscape(), options);
    run(db, "ROLLBACK");
    INFO(sql);
    CHECK(changes > 0);
    return found;
}

std::vector<verify::Violation> changed(Village& village,
                                       const std::function<void(verify::Landscape&)>& change,
                                       const verify::Options& options) {
    verify::Landscape landscape = village.landscape();
    change(landscape);
    return verify::check(landscape, options);
}

verify::Stored with_id(const verify::Stored& stored, std::uint64_t seq) {
    verify::Stored other = stored;
    other.seq = seq;
    const auto read = core::decode(stored.bytes);
    core::Envelope envelope = std::get<core::Envelope>(read);
    envelope.id.bytes.back() ^= 0xFF;
    other.bytes = core::encode(envelope);
    return other;
}

verify::Stored& find(verify::Landscape& landscape, std::string_view part) {
    const auto found = std::find_if(
        landscape.stream.begin(), landscape.stream.end(),
        [&](const verify::Stored& each) { return each.subject.find(part) != std::string::npos; });
    REQUIRE(found != landscape.stream.end());
    return *found;
}

bool has(const std::vector<verify::Violation>& violations, std::string_view invariant) {
    return std::any_of(violations.begin(), violations.end(),
                       [&](const auto& each) { return each.invariant == invariant; });
}

bool refutes(const std::vector<verify::Violation>& violations, std::string_view invariant) {
    if (has(violations, invariant)) return true;
    MESSAGE(lines(violations));
    return false;
}

}  // namespace saga::testing
