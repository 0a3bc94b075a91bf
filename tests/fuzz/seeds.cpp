// Writes the inputs that fuzzing begins with, those that are bytes: fuzz-seeds CORPUS
#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <saga/detail/event_type.hpp>
#include <string>
#include <utility>
#include <vector>

#include "engine_generated.h"
#include "saga/core/envelope.hpp"
#include "saga/core/limits.hpp"
#include "saga/core/subject.hpp"
#include "shapes.hpp"
#include "shop_events.hpp"
#include "tests/fuzz/targets.hpp"

namespace files = std::filesystem;
using namespace saga;

namespace {

using Blob = std::vector<std::byte>;

constexpr Time kTime{std::chrono::hours(24 * 365 * 56)};

Blob blob(std::string_view text) {
    const auto bytes = std::as_bytes(std::span(text));
    return {bytes.begin(), bytes.end()};
}

/// Writes inputs below one folder.
class Seeds {
  public:
    explicit Seeds(files::path corpus) : corpus_(std::move(corpus)) {}

    void put(std::string_view target, std::string_view name, const std::vector<Blob>& parts) {
        fuzz::must(fuzz::find(target) != nullptr, "a seed has no target");
        const files::path folder = corpus_ / target;
        files::create_directories(folder);
        std::ofstream file(folder / fmt::format("seed-{}", name), std::ios::binary);
        for (const Blob& part : parts)
            file.write(reinterpret_cast<const char*>(part.data()),
                       static_cast<std::streamsize>(part.size()));
        file.close();
        fuzz::must(file.good(), "cannot write a seed");
    }

  private:
    files::path corpus_;
};

/// An event of the shop, with everything that an envelope may have.
template <Event E>
Blob enveloped(const E& event, Kind kind) {
    const detail::EventType& type = detail::type_of<E>();
    EventId id, cause;
    id.bytes.fill(1);
    cause.bytes.fill(2);
    const Blob payload = detail::pack(event);
    return core::encode({.id = id,
                         .type = type.full,
                         .saga = "o1",
                         .started = kTime,
                         .cause = cause,
                         .source = type.owner,
                         .sequence = 7,
                         .time = kTime,
                         .kind = kind,
                         .step = "step",
                         .because = kind == Kind::failed ? type.name : std::string_view{},
                         .hops = 2,
                         .trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                         .payload = payload});
}

/// `which` is its place among the tables of wire.cpp, `whom` a service that reads it.
template <Event E>
void seed_event(Seeds& seeds, int which, int whom, const E& event, Kind kind = Kind::done) {
    const std::string_view name = detail::type_of<E>().name;
    const Blob body = enveloped(event, kind);
    const std::string subject =
        core::event_subject(detail::type_of<E>().owner, kind, name, "o1", false);
    seeds.put("event", name, {Blob{std::byte(which)}, detail::pack(event)});
    seeds.put("envelope", name, {body});
    seeds.put("decoded", name, {body});
    seeds.put("message", name, {Blob{std::byte(whom)}, blob(subject + "\n"), body});
    seeds.put("subject", name, {blob(subject + "\nwörter\x01")});
}

void seed_events(Seeds& seeds) {
    using namespace shop;
    constexpr int kOrder = 0, kInventory = 1, kPayment = 2, kShipping = 3;
    const std::vector<Line> lines{{.sku = "tea", .quantity = 2, .unit_price_cents = 650}};
    seed_event(seeds, 3, kInventory,
               OrderRequested{
                   .order_id = "o1", .customer_id = "ann", .lines = lines, .total_cents = 1300});
    seed_event(seeds, 4, kShipping, CancelRequested{.order_id = "o1"});
    seed_event(seeds, 5, kOrder, OrderConfirmed{.order_id = "o1"}, Kind::ended);
    seed_event(seeds, 6, kInventory, OrderRejected{.order_id = "o1", .reason = "StockShort"},
               Kind::ended);
    seed_event(seeds, 8, kInventory, ProductStocked{.sku = "tea", .name = "grün", .units = 9});
    seed_event(seeds, 9, kPayment,
               StockReserved{.order_id = "o1", .customer_id = "ann", .total_cents = 1300});
    seed_event(seeds, 10, kOrder, StockShort{.order_id = "o1", .sku = "tea"}, Kind::failed);
    seed_event(seeds, 11, kOrder, StockReleased{.order_id = "o1"}, Kind::undone);
    seed_event(
        seeds, 12, kShipping,
        PaymentTaken{
            .order_id = "o1", .customer_id = "ann", .amount_cents = 1300, .charge_id = "C-1"});
    seed_event(seeds, 13, kOrder, PaymentDeclined{.order_id = "o1", .reason = "no"}, Kind::failed);
    seed_event(seeds, 14, kOrder, PaymentRefunded{.order_id = "o1", .amount_cents = 1300},
               Kind::undone);
    seed_event(seeds, 15, kShipping, ShippingOverdue{.order_id = "o1"});
    seed_event(seeds, 16, kOrder, OrderShipped{.order_id = "o1", .parcel = "P-1"});
    seed_event(seeds, 17, kPayment, ShippingRefused{.order_id = "o1", .reason = "no"},
               Kind::failed);
    seed_event(seeds, 18, kPayment, OrderCancelled{.order_id = "o1", .reason = "no"}, Kind::failed);
    seed_event(seeds, 19, kOrder, CancelRefused{.order_id = "o1", .reason = "no"});
}

/// A question to the bank is also an event of its table.
template <Event E>
void seed_question(Seeds& seeds, int which, int what, const E& question) {
    const Blob body = detail::pack(question);
    const std::string_view name = detail::type_of<E>().name;
    seeds.put("event", name, {Blob{std::byte(which)}, body});
    if (what >= 0) seeds.put("bank", name, {Blob{std::byte(what), std::byte(body.size())}, body});
}

void seed_bank(Seeds& seeds) {
    using namespace shop;
    seed_question(seeds, 20, 0, Charge{.customer_id = "ann", .amount_cents = 900});
    seed_question(seeds, 21, 1, Refund{.charge_id = "C-1", .amount_cents = 900});
    seed_question(seeds, 23, 2, Credit{.customer_id = "ann", .amount_cents = 5000});
    seed_question(seeds, 25, 3, AskBooks{.after = 7});
    seed_question(
        seeds, 27, 4,
        BankRates{.latency_ms = 5, .decline = 0.5, .failure = 0.25, .silence = 1, .refused = "no"});
    seed_question(seeds, 22, -1, Receipt{.charge_id = "C-1", .declined = "no"});
    seed_question(seeds, 24, -1, Credited{.accounts = 3, .declined = "no"});
    seed_question(seeds, 26, -1,
                  BankBooks{.accounts = 1,
                            .credit_cents = 5000,
                            .balance_cents = 4100,
                            .charges = 2,
                            .charged_cents = 1300,
                            .refunds = 1,
                            .refunded_cents = 400,
                            .page = {BankCharge{.number = 1,
                                                .charge_id = "C-1",
                                                .customer_id = "ann",
                                                .amount_cents = 400,
                                                .refunded_cents = 400}}});
    const auto one = [](int what, const Blob& body) {
        Blob part{std::byte(what), std::byte(body.size())};
        part.insert(part.end(), body.begin(), body.end());
        return part;
    };
    seeds.put("bank", "course",
              {one(2, detail::pack(Credit{.customer_id = "", .amount_cents = 10'000})),
               one(0, detail::pack(Charge{.customer_id = "ann", .amount_cents = 900})),
               one(8, detail::pack(Charge{.customer_id = "bob", .amount_cents = 1})),
               one(9, detail::pack(Refund{.charge_id = "C-1", .amount_cents = 900}))});
}

void seed_requests(Seeds& seeds) {
    using namespace shop;
    const std::vector<Line> lines{{.sku = "tea", .quantity = 2, .unit_price_cents = 650}};
    const PlaceOrder place{.order_id = "o1", .customer_id = "ann", .lines = lines};
    const StockProduct stock{.delivery_id = "d1", .sku = "tea", .name = "Tea", .units = 9};
    const CancelOrder cancel{.order_id = "o1"};
    const auto put = [&](int whom, const std::string& verb, const Blob& body) {
        seeds.put("request", fmt::format("{}-{}", verb, whom),
                  {Blob{std::byte(whom)}, blob(verb + "\n"), body});
    };
    put(0, "place", detail::pack(place));
    put(0, "cancel", detail::pack(cancel));
    put(1, "stock", detail::pack(stock));
    put(0, "show", blob("o1"));
    put(1, "held", blob(""));
    put(2, "books", blob("o1"));
    for (const char* verb : {"retry", "skip", "drop", "letter"}) {
        put(2, verb, blob(R"({"id": "17", "reason": "because"})"));
        put(3, verb, blob("aside-1"));
    }
    put(3, "dead", blob(R"({"all": true, "saga": "o1", "after": "aside-3"})"));
    put(0, "state", {});
    put(0, "owner", {});
    seeds.put("event", "StockProduct", {Blob{std::byte(7)}, detail::pack(stock)});
    seeds.put("event", "PlaceOrder", {Blob{std::byte(1)}, detail::pack(place)});
    seeds.put("event", "CancelOrder", {Blob{std::byte(2)}, detail::pack(cancel)});
    seeds.put("event", "Line", {Blob{std::byte(0)}, detail::pack(lines.front())});
}

Blob finished(flatbuffers::FlatBufferBuilder& builder) {
    const auto* begin = reinterpret_cast<const std::byte*>(builder.GetBufferPointer());
    return {begin, begin + builder.GetSize()};
}

/// The engine's own tables, in an envelope too.
void seed_engine(Seeds& seeds) {
    const std::vector<std::uint8_t> id(16, 3);
    flatbuffers::FlatBufferBuilder acted, letter;
    acted.Finish(
        wire::CreateOperatorActedDirect(acted, "retry", "step", &id, "take", 17, "because"));
    const Blob inner = enveloped(shop::OrderConfirmed{.order_id = "o1"}, Kind::ended);
    const auto* data = reinterpret_cast<const std::uint8_t*>(inner.data());
    const std::vector<std::uint8_t> about(data, data + inner.size());
    letter.Finish(wire::CreateDeadLetterDirect(letter, "payment", "it throws", "take", 14, &id,
                                               "saga.order.ended.OrderConfirmed.p61", 9, true,
                                               &about));
    const auto put = [&](std::string_view name, std::string_view source, const Blob& payload) {
        EventId event_id;
        event_id.bytes.fill(4);
        const std::string type = fmt::format("saga.wire.{}", name);
        const Blob body = core::encode({.id = event_id,
                                        .type = type,
                                        .saga = "o1",
                                        .started = kTime,
                                        .source = source,
                                        .time = kTime,
                                        .payload = payload});
        seeds.put("envelope", name, {body});
        seeds.put("decoded", name, {body});
        seeds.put("message", name, {Blob{std::byte(0x12)}, blob("\n"), body});
    };
    put("OperatorActed", "order", finished(acted));
    put("DeadLetter", "order", finished(letter));
    seeds.put("event", "OperatorActed", {Blob{std::byte(28)}, finished(acted)});
}

void seed_schemas(Seeds& seeds) {
    const auto put = [&](std::string_view name, std::string_view bfbs, const Blob& payload) {
        seeds.put("schema", name,
                  {Blob{std::byte(bfbs.size() >> 8), std::byte(bfbs.size())}, blob(bfbs), payload});
    };
    test::Everything everything;
    everything.word = everything.last = "word";
    everything.raw = {1, 2, 3};
    everything.numbers = {1, -1};
    everything.words = {"a", "b"};
    everything.colours = {test::shapes::Colour::red, test::shapes::Colour::blue};
    everything.points = {{1, 2}};
    everything.any.Set(std::string("w"));
    everything.all.resize(2);
    everything.all[0].Set(test::shapes::LeafT{});
    everything.all[1].Set(test::shapes::Point{7, 8});
    flatbuffers::FlatBufferBuilder builder;
    builder.Finish(test::shapes::Everything::Pack(builder, &everything));
    put("shapes", test::shapes::kShapesSchema, finished(builder));
    put("payment", shop::payment::kPaymentSchema,
        detail::pack(shop::PaymentTaken{.order_id = "o1", .customer_id = "ann"}));
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        fmt::print(stderr, "usage: fuzz-seeds CORPUS\n");
        return 2;
    }
    Seeds seeds(argv[1]);
    seed_events(seeds);
    seed_bank(seeds);
    seed_requests(seeds);
    seed_engine(seeds);
    seed_schemas(seeds);
    return 0;
}
