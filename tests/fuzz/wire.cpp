#include <flatbuffers/flatbuffers.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <saga/detail/event_type.hpp>
#include <variant>

#include "engine_generated.h"
#include "saga/core/limits.hpp"
#include "saga/core/payload_json.hpp"
#include "saga/core/payload_rules.hpp"
#include "saga/core/subject.hpp"
#include "saga/core/text.hpp"
#include "saga/runtime/operations.hpp"
#include "saga/view/message_json.hpp"
#include "shop_events.hpp"
#include "tests/fuzz/targets.hpp"

namespace saga::fuzz {
namespace {

using core::Envelope;
using nlohmann::json;

void must_be_printable(const core::Headers& headers) {
    for (const auto& [name, value] : headers)
        must(core::is_token(name) && core::is_token(value), "a header is more than one word");
}

void must_be_harmless(std::string_view line) {
    must(core::is_utf8(line), "what is shown is no UTF-8");
    must(std::none_of(line.begin(), line.end(),
                      [](char c) { return (c >= 0 && c < ' ') || c == '\x7f'; }),
         "what is shown holds a control character");
}

const core::PayloadSchema& schema_of(std::string_view bfbs) {
    static std::map<std::string_view, core::PayloadSchema> known;
    const auto found = known.find(bfbs);
    if (found != known.end()) return found->second;
    const auto read = core::PayloadSchema::read(std::as_bytes(std::span(bfbs)));
    must(read.has_value(), "a schema of ours is not sound");
    return known.emplace(bfbs, *read).first->second;
}

std::string json_of(const detail::EventType& type, Bytes payload) {
    const auto shown = schema_of(type.schema).json(type.full, payload);
    const auto* text = std::get_if<std::string>(&shown);
    must(text != nullptr, "what verifies cannot be shown");
    must_be_harmless(*text);
    must(json::accept(*text), "what is shown is no JSON");
    return *text;
}

/// As it may stand in an envelope whose writer knows of no alignment.
class Askew {
  public:
    explicit Askew(Bytes bytes) : shifted_(bytes.size() + 1) {
        std::copy(bytes.begin(), bytes.end(), shifted_.begin() + 1);
    }
    Bytes bytes() const { return Bytes(shifted_).subspan(1); }

  private:
    std::vector<std::byte> shifted_;
};
constexpr auto kPlace = "what a payload is depends on where it stands";

/// What is sound is shown, and comes back as it was packed.
template <Event E>
void table(Bytes payload) {
    const detail::EventType& type = detail::type_of<E>();
    const bool sound = core::is_sound(type, payload);
    must(core::is_sound(type, Askew(payload).bytes()) == sound, kPlace);
    if (!sound) {
        (void)schema_of(type.schema).json(type.full, payload);  // for the eye: what is there
        return;
    }
    (void)json_of(type, payload);
    const std::vector<std::byte> once = detail::pack(detail::unpack<E>(payload));
    must(core::is_sound(type, once), "what was packed is not sound");
    must(detail::pack(detail::unpack<E>(once)) == once, "what was packed is unpacked otherwise");
    must(json_of(type, once) == json_of(type, detail::pack(detail::unpack<E>(once))),
         "what was packed is shown otherwise");
}

void operation(Bytes payload) {
    const auto read = runtime::read_operation(payload);
    must(runtime::read_operation(Askew(payload).bytes()).has_value() == read.has_value(), kPlace);
    if (!read) return;
    must(!read->what.empty(), "an operator's word is about nothing");
}

constexpr std::array<void (*)(Bytes), 29> kTables{
    table<shop::Line>,
    table<shop::PlaceOrder>,
    table<shop::CancelOrder>,
    table<shop::OrderRequested>,
    table<shop::CancelRequested>,
    table<shop::OrderConfirmed>,
    table<shop::OrderRejected>,
    table<shop::StockProduct>,
    table<shop::ProductStocked>,
    table<shop::StockReserved>,
    table<shop::StockShort>,
    table<shop::StockReleased>,
    table<shop::PaymentTaken>,
    table<shop::PaymentDeclined>,
    table<shop::PaymentRefunded>,
    table<shop::ShippingOverdue>,
    table<shop::OrderShipped>,
    table<shop::ShippingRefused>,
    table<shop::OrderCancelled>,
    table<shop::CancelRefused>,
    table<shop::Charge>,
    table<shop::Refund>,
    table<shop::Receipt>,
    table<shop::Credit>,
    table<shop::Credited>,
    table<shop::AskBooks>,
    table<shop::BankBooks>,
    table<shop::BankRates>,
    operation,
};

void must_read_alike(const Envelope& written) {
    const std::vector<std::byte> body = core::encode(written);
    const auto read = core::decode(body);
    const auto* again = std::get_if<Envelope>(&read);
    must(again != nullptr, "an envelope that was read cannot be written");
    must(core::encode(*again) == body, "an envelope is written otherwise the second time");
    must(again->id == written.id && again->type == written.type && again->saga == written.saga &&
             again->kind == written.kind && again->hops == written.hops &&
             std::ranges::equal(again->payload, written.payload),
         "an envelope is read otherwise the second time");
}

}  // namespace

void envelope(Bytes input) {
    const std::vector<std::byte> body(input.begin(), input.end());
    const auto read = core::decode(body);
    const auto* envelope = std::get_if<Envelope>(&read);
    if (envelope == nullptr) return must_be_harmless(std::get<core::Unreadable>(read).why);
    for (const std::string_view text : {envelope->type, envelope->saga, envelope->source,
                                        envelope->step, envelope->because, envelope->trace})
        must(text.empty() || core::is_token(text), "a field is more than one word");
    const std::string subject = core::subject_of(*envelope);
    must(core::parse_event_subject(subject).has_value(), "an envelope has no subject");
    must_be_printable(core::headers_of(*envelope));
    must(core::rfc3339(envelope->time).size() == 27, "a time is not of four digits a year");
    // What is larger after it was written anew, by what an absent field takes, is told so.
    if (body.size() + core::kMaxEnvelopeText <= core::kMaxMessage) must_read_alike(*envelope);
}

void event(Bytes input) {
    Input in(input);
    const std::size_t which = in.byte();
    const std::vector<std::byte> payload(in.rest().begin(), in.rest().end());
    kTables.at(which % kTables.size())(payload);
}

void subject(Bytes input) {
    Input in(input);
    const std::string_view line = in.line();
    if (const auto parsed = core::parse_event_subject(line)) {
        std::string again(line.substr(0, line.rfind('.')));
        must(line.find(parsed->service) != line.npos, "a subject's service is not of it");
        must(core::kind_of(core::name_of(parsed->kind)) == parsed->kind, "a kind has no name");
        must(parsed->partition.size() == 3, "a partition has three characters");
    }
    const std::string_view value = in.text();
    must(value.empty() || core::is_token(core::percent_encoded(value)),
         "a header's value is more than one word");
    must(core::partition_of(value) < core::kPartitions, "a saga has no partition");
    for (const std::size_t most : {0, 1, 7, 64}) {
        const std::string cut = core::clipped(value, most);
        must(cut.size() <= most, "what was cut is too long");
        must(!core::is_utf8(value) || core::is_utf8(cut), "a character was cut in two");
    }
}

void decoded(Bytes input) {
    static const view::Schemas schemas = [] {
        view::Schemas all;
        for (const std::string_view bfbs :
             {shop::order::kOrderSchema, shop::inventory::kInventorySchema,
              shop::payment::kPaymentSchema, shop::shipping::kShippingSchema})
            all.add(schema_of(bfbs));
        return all;
    }();
    const std::vector<std::byte> body(input.begin(), input.end());
    const std::string line = view::line(view::message_json(body, schemas));
    must_be_harmless(line);
    must(json::accept(line), "what is shown is no JSON");
}

}  // namespace saga::fuzz
