// Bytes of the first release, which today's code reads as they were meant.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <saga/detail/event_type.hpp>
#include <set>

#include "saga/view/message_json.hpp"
#include "shop_events.hpp"

namespace files = std::filesystem;
using namespace saga;
using nlohmann::ordered_json;

namespace {

std::vector<std::byte> content(const files::path& path) {
    std::ifstream file(path, std::ios::binary);
    REQUIRE(file.good());
    const std::vector<char> text{std::istreambuf_iterator<char>(file), {}};
    const auto bytes = std::as_bytes(std::span(text));
    return {bytes.begin(), bytes.end()};
}

const view::Schemas& schemas() {
    static const view::Schemas all = [] {
        view::Schemas read;
        for (const std::string_view bfbs :
             {shop::order::kOrderSchema, shop::inventory::kInventorySchema,
              shop::payment::kPaymentSchema, shop::shipping::kShippingSchema,
              shop::bank::kBankSchema})
            read.add(core::PayloadSchema::read(std::as_bytes(std::span(bfbs))).value());
        return read;
    }();
    return all;
}

/// Into the struct that handlers are given, and back.
template <Event E>
std::vector<std::byte> again(Bytes payload) {
    REQUIRE(detail::verify<E>(payload));
    return detail::pack(detail::unpack<E>(payload));
}
using Again = std::vector<std::byte> (*)(Bytes);
template <class... E>
std::map<std::string, Again> agains() {
    return {{std::string(detail::type_of<E>().full), &again<E>}...};
}
const std::map<std::string, Again> kTables =
    agains<shop::PlaceOrder, shop::CancelOrder, shop::OrderRequested, shop::CancelRequested,
           shop::OrderConfirmed, shop::OrderRejected, shop::StockProduct, shop::ProductStocked,
           shop::StockReserved, shop::StockShort, shop::StockReleased, shop::PaymentTaken,
           shop::PaymentDeclined, shop::PaymentRefunded, shop::ShippingOverdue, shop::OrderShipped,
           shop::ShippingRefused, shop::OrderCancelled, shop::CancelRefused, shop::Charge,
           shop::Refund, shop::Receipt, shop::Credit, shop::Credited, shop::AskBooks,
           shop::BankBooks, shop::BankRates>();

/// What is shown of a file: of an event the whole message, of what is asked its table.
std::string shown(const std::string& name, Bytes bytes) {
    const auto read = core::decode(bytes);
    const auto* envelope = std::get_if<core::Envelope>(&read);
    if (envelope == nullptr) return view::line(view::payload_json(name, bytes, schemas()));
    CHECK(envelope->type == name);
    return view::line(view::message_json(bytes, schemas()));
}
Bytes payload_of(const std::vector<std::byte>& bytes) {
    const auto read = core::decode(bytes);
    const auto* envelope = std::get_if<core::Envelope>(&read);
    return envelope == nullptr ? Bytes(bytes) : envelope->payload;
}

std::set<std::string> golden(const std::string& extension) {
    std::set<std::string> names;
    for (const auto& entry : files::directory_iterator(SCHEMAS_GOLDEN))
        if (entry.path().extension() == extension) names.insert(entry.path().stem().string());
    return names;
}

}  // namespace

TEST_CASE("golden: what the first release wrote is read as it was meant") {
    for (const std::string& name : golden(".bin")) {
        CAPTURE(name);
        const auto bytes = content(files::path(SCHEMAS_GOLDEN) / (name + ".bin"));
        std::ifstream json(files::path(SCHEMAS_GOLDEN) / (name + ".json"));
        std::string meant;
        std::getline(json, meant);
        CHECK(meant.find("error") == std::string::npos);
        CHECK(ordered_json::parse(shown(name, bytes)) == ordered_json::parse(meant));
    }
}

TEST_CASE("golden: handlers are given what the first release wrote") {
    for (const auto& [name, read] : kTables) {
        const std::string table(name);
        CAPTURE(table);
        const auto bytes = content(files::path(SCHEMAS_GOLDEN) / (name + ".bin"));
        const auto payload = payload_of(bytes);
        const std::vector<std::byte> aligned(payload.begin(), payload.end());
        CHECK(view::line(view::payload_json(name, read(aligned), schemas())) ==
              view::line(view::payload_json(name, aligned, schemas())));
    }
}

TEST_CASE("golden: every table that travels by itself has its bytes") {
    std::set<std::string> wanted{"saga.wire.DeadLetter", "saga.wire.OperatorActed"};
    for (const auto& [name, read] : kTables) wanted.insert(name);
    CHECK(golden(".bin") == wanted);
    CHECK(golden(".json") == wanted);
}
