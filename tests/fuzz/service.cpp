#include <fmt/format.h>

#include <array>
#include <memory>
#include <nlohmann/json.hpp>

#include "saga/core/limits.hpp"
#include "saga/core/subject.hpp"
#include "saga/core/text.hpp"
#include "saga/runtime/desk.hpp"
#include "services/inventory/inventory.hpp"
#include "services/order/order.hpp"
#include "services/payment/payment.hpp"
#include "services/shipping/shipping.hpp"
#include "tests/fuzz/silent_bus.hpp"
#include "tests/fuzz/targets.hpp"

namespace saga::fuzz {
namespace {

using runtime::Inbound;

constexpr Time kBegin{std::chrono::hours(24 * 365 * 56)};
constexpr int kInputs = 500;  // of one database: then the next begins empty
constexpr int kRounds = 4;    // of what an input left to be done

class Chance final : public runtime::Random {
  public:
    std::uint64_t next() override { return value_ += 7919; }

  private:
    std::uint64_t value_ = 0;
};

/// One service with its real handlers, rules and tables, and neither broker nor clock.
class World {
  public:
    explicit World(Service given)
        : service_(std::move(given)),
          store_({.path = ":memory:", .vfs = {}}, service_.contract().tables),
          worker_(service_.contract(), store_, key_, chance_, outgoing_, {}),
          desk_(service_.contract(), store_, bus_, backups_, clock_,
                {{"order", {}}, "one", "1", "here", kBegin}, [] { return "{}"; }) {}

    void deliver(std::string subject, std::vector<std::byte> body) {
        const bool sound = std::holds_alternative<core::Envelope>(core::decode(body));
        const auto aside = store_.aside.count();
        in_.messages.push_back(
            {std::move(subject), std::move(body), ++seq_, core::StoreTime(now_)});
        try {
            round();
            must(store_.cursor.position().seq == seq_, "a message was taken and not passed");
            must(sound || store_.aside.count() == aside + 1, "what cannot be read is not aside");
        } catch (const runtime::ForeignInstance&) {
            in_.messages.clear();  // it says that it is ours, and it is not: that ends a service
        }
        for (int i = 0; i < kRounds; ++i) {
            const auto due = worker_.next_due();
            if (!due) break;
            now_ = std::max(now_, *due);
            round();
        }
    }

    void ask(std::string_view verb, std::vector<std::byte> body) {
        const std::size_t before = bus_.answers.size();
        desk_.take(
            {core::request_subject(service_.contract().service, verb), "reply", std::move(body)},
            in_, "");
        round();
        must(bus_.answers.size() <= before + 1, "a request has two answers");
        for (const std::string& answer : bus_.answers) {
            must(core::is_utf8(answer), "an answer is no UTF-8");
            must(nlohmann::json::accept(answer), "an answer is no JSON");
        }
        bus_.answers.clear();
    }

  private:
    /// What is published comes back, as from the stream.
    void round() {
        for (int i = 0; i < kRounds; ++i) {
            in_.timers_until = now_;
            const runtime::Committed done = worker_.round(in_, now_);
            for (const runtime::Reply& reply : done.replies) desk_.reply(reply);
            for (const store::OutboxRow& row : done.published) read_back(row);
            if (in_.messages.empty() && in_.requests.empty()) break;
        }
        must(in_.messages.empty() && in_.requests.empty(), "a round takes nothing");
    }
    void read_back(const store::OutboxRow& row) {
        const auto read = core::decode(row.envelope);
        const auto* envelope = std::get_if<core::Envelope>(&read);
        must(envelope != nullptr, "it publishes what nobody can read");
        if (row.subject.starts_with("saga-dlq.")) return;
        must(!core::spoofed(row.subject, *envelope), "it publishes what is not its own");
        in_.messages.push_back({row.subject, row.envelope, ++seq_, core::StoreTime(now_)});
    }

    Service service_;
    Chance chance_;
    core::IdKey key_{{1, 2, 3}};
    core::Outgoing outgoing_;
    store::Store store_;
    runtime::Worker worker_;
    SilentBus bus_;
    runtime::SystemClock clock_;
    runtime::Timeline timeline_{clock_};
    runtime::Backups backups_{store_.db(), timeline_, {}};  // without a folder: it makes none
    runtime::Desk desk_;
    Inbound in_;
    Time now_ = kBegin;
    std::uint64_t seq_ = 0;
};

constexpr std::array<Service (*)(), 4> kServices{order_service, inventory_service, payment_service,
                                                 shipping_service};

/// The same databases for some hundred inputs: one may leave what trips the next.
World& world_of(std::size_t which) {
    static std::array<std::unique_ptr<World>, kServices.size()> worlds;
    static std::array<int, kServices.size()> inputs{};
    const std::size_t at = which % kServices.size();
    if (inputs.at(at)++ % kInputs == 0) {
        worlds.at(at).reset();
        worlds.at(at) = std::make_unique<World>(kServices.at(at)());
    }
    return *worlds.at(at);
}

}  // namespace

void message(Bytes input) {
    Input in(input);
    const std::uint8_t how = in.byte();
    std::string subject(in.line());
    std::vector<std::byte> body(in.rest().begin(), in.rest().end());
    const auto read = core::decode(body);
    const auto* envelope = std::get_if<core::Envelope>(&read);
    if (how / 4 % 4 != 0 && envelope != nullptr) subject = core::subject_of(*envelope);
    world_of(how).deliver(std::move(subject), std::move(body));
}

void request(Bytes input) {
    Input in(input);
    const std::uint8_t whom = in.byte();
    const std::string verb(in.line());
    world_of(whom).ask(verb, {in.rest().begin(), in.rest().end()});
}

}  // namespace saga::fuzz
