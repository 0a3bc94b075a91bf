#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "saga/bus/jetstream.hpp"
#include "saga/cli/broker_info.hpp"
#include "saga/cli/dev_status.hpp"
#include "saga/cli/participants.hpp"
#include "saga/view/base64.hpp"
#include "saga/view/message_json.hpp"
#include "services/bank/counter.hpp"
#include "services/bank/ledger.hpp"
#include "tests/fuzz/targets.hpp"

namespace saga::fuzz {
namespace {

/// Takes a question's bytes from the input and asks the bank, where they are one.
template <Event Question, class Ask>
void ask(Bytes bytes, const Ask& ask) {
    const std::vector<std::byte> body(bytes.begin(), bytes.end());
    if (detail::verify<Question>(body)) ask(detail::unpack<Question>(body));
}

void must_balance(const shop::BankBooks& books) {
    must(books.credit_cents == books.balance_cents + books.charged_cents - books.refunded_cents,
         "the bank's books do not agree");
    must(books.balance_cents >= 0 && books.charged_cents >= books.refunded_cents,
         "the bank owes what it never had");
}

}  // namespace

void broker(Bytes input) {
    const std::string_view text = Input(input).text();
    (void)bus::read_consumer(text);
    (void)bus::read_message(text);
    (void)bus::read_pub_ack(text);
    (void)bus::read_success(text);
    const auto info = bus::read_stream_info(text);
    if (const auto* found = std::get_if<bus::StreamInfo>(&info))
        must(nlohmann::json::accept(found->config), "a stream's settings are no JSON");
    (void)bus::parse_ack_subject(text);
    (void)bus::parse_time(text);
    (void)cli::parse_info(text);
    (void)cli::endpoint_of(text);
}

void answer(Bytes input) {
    const std::string text(Input(input).text());
    (void)cli::read_dev_status(text);
    if (const auto bytes = cli::from_base64(text))
        must(cli::from_base64(cli::to_base64(*bytes)) == bytes, "base64 loses bytes");
    try {
        const auto answer = cli::read_answer("order", "dead", text);
        (void)cli::line(answer);
        for (const nlohmann::json row : answer) (void)cli::letter_of("order", row);
        (void)cli::state_of("order", answer);
    } catch (const cli::Stop& stop) {
        must(!std::string_view(stop.what()).empty(), "a refusal says nothing");
    }
}

void bank(Bytes input) {
    shop::Ledger ledger(":memory:");
    shop::Counter counter(ledger, 1);
    Input in(input);
    while (!in.rest().empty()) {
        const unsigned what = in.byte(), size = in.byte();
        const std::string key(1, static_cast<char>('a' + what / 8 % 4));
        const Bytes rest = in.rest(), body = rest.first(std::min<std::size_t>(size, rest.size()));
        in = Input(rest.subspan(body.size()));
        if (what % 5 == 0)
            ask<shop::Charge>(
                body, [&](const auto& q) { ledger.write([&] { ledger.charge(key, q, false); }); });
        if (what % 5 == 1)
            ask<shop::Refund>(body,
                              [&](const auto& q) { ledger.write([&] { ledger.refund(key, q); }); });
        if (what % 5 == 2) ask<shop::Credit>(body, [&](const auto& q) { counter.credit(key, q); });
        if (what % 5 == 3)
            ask<shop::AskBooks>(body, [&](const auto& q) { (void)counter.books(q); });
        if (what % 5 == 4)
            ask<shop::BankRates>(body, [&](const auto& q) {
                const shop::BankRates now = counter.set(q);
                must(now.decline >= 0 && now.decline <= 1 && now.latency_ms >= 0 &&
                         now.latency_ms <= shop::kLongestLatency.count(),
                     "a rate is no part of one");
                counter.set({.latency_ms = 0});  // nobody waits here
            });
    }
    must_balance(ledger.books({}));
}

}  // namespace saga::fuzz
