// Fills the stream with sagas as the shop makes them, so that there is much to read: of ten, eight
// are confirmed, one is rejected and one goes on.
//
//   fill NATS_URL EVENTS
#include <fmt/format.h>
#include <nats/nats.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>

#include "saga/core/envelope.hpp"

namespace {

using namespace saga;

struct Word {
    const char *type = "", *source = "", *step = "";
    Kind kind = Kind::done;
    const char* because = "";
};
constexpr std::array kHeld{Word{"shop.order.OrderRequested", "order", "place"},
                           Word{"shop.inventory.StockReserved", "inventory", "reserve"},
                           Word{"shop.payment.PaymentTaken", "payment", "take"},
                           Word{"shop.shipping.OrderShipped", "shipping", "ship"},
                           Word{"shop.order.OrderConfirmed", "order", "confirm", Kind::ended}};
constexpr std::array kLost{
    Word{"shop.order.OrderRequested", "order", "place"},
    Word{"shop.inventory.StockReserved", "inventory", "reserve"},
    Word{"shop.payment.PaymentDeclined", "payment", "take", Kind::failed},
    Word{"shop.inventory.StockReleased", "inventory", "reserve", Kind::undone, "PaymentDeclined"},
    Word{"shop.order.OrderRejected", "order", "reject", Kind::ended, "PaymentDeclined"}};
constexpr std::size_t kEvents = kHeld.size();
constexpr std::size_t kGoesOn = 3;                // events of one that goes on
constexpr std::size_t kMixed = 500;               // sagas that are under way at the same time
constexpr std::chrono::microseconds kApart{100};  // sagas begin one after the other
constexpr std::size_t kPayload = 160;
constexpr std::int64_t kPatienceMs = 60'000;  // with a server that is busy

void must(natsStatus status) {
    if (status != NATS_OK) throw std::runtime_error(natsStatus_GetText(status));
}

EventId id_of(std::uint64_t saga, std::uint64_t nth) {
    EventId id;
    std::memcpy(id.bytes.data(), &saga, sizeof(saga));
    id.bytes[15] = static_cast<std::uint8_t>(nth + 1);
    return id;
}

void publish(jsCtx* context, std::uint64_t number, std::size_t nth, Time started) {
    const std::uint64_t tenth = number % 10;
    if (tenth == 1 && nth >= kGoesOn) return;
    const Word& word = (tenth == 0 ? kLost : kHeld).at(nth);
    const std::string saga = fmt::format("order-{}", number);
    const std::vector<std::byte> payload(kPayload);
    const core::Envelope envelope{.id = id_of(number, nth),
                                  .type = word.type,
                                  .saga = saga,
                                  .started = started,
                                  .cause = nth == 0 ? EventId{} : id_of(number, nth - 1),
                                  .source = word.source,
                                  .time = started + std::chrono::milliseconds(nth),
                                  .kind = word.kind,
                                  .step = word.step,
                                  .because = word.because,
                                  .payload = payload};
    const std::vector<std::byte> bytes = core::encode(envelope);
    must(js_PublishAsync(context, core::subject_of(envelope).c_str(), bytes.data(),
                         static_cast<int>(bytes.size()), nullptr));
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        fmt::print(stderr, "usage: fill NATS_URL EVENTS\n");
        return 2;
    }
    try {
        natsConnection* connection = nullptr;
        jsCtx* context = nullptr;
        must(natsConnection_ConnectTo(&connection, argv[1]));
        jsOptions options;
        must(jsOptions_Init(&options));
        options.PublishAsync.MaxPending = 4'000;
        options.PublishAsync.StallWait = kPatienceMs;
        must(natsConnection_JetStream(&context, connection, &options));
        const std::uint64_t sagas = std::strtoull(argv[2], nullptr, 10) / kEvents;
        const Time now =
            std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
        for (std::uint64_t first = 0; first < sagas; first += kMixed)
            for (std::size_t nth = 0; nth < kEvents; ++nth)
                for (std::uint64_t i = first; i < std::min(sagas, first + kMixed); ++i)
                    publish(context, i, nth, now - kApart * (sagas - i));
        jsPubOptions rest;
        must(jsPubOptions_Init(&rest));
        rest.MaxWait = kPatienceMs;
        must(js_PublishAsyncComplete(context, &rest));
        jsCtx_Destroy(context);
        natsConnection_Destroy(connection);
    } catch (const std::exception& failure) {
        fmt::print(stderr, "fill: {}\n", failure.what());
        return 1;
    }
    return 0;
}
