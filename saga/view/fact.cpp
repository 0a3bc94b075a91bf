#include "saga/view/fact.hpp"

#include <saga/detail/event_type.hpp>

#include "saga/runtime/operations.hpp"

namespace saga::view {

std::string_view Words::keep(std::string_view word) {
    const auto known = words_.find(word);
    return known == words_.end() ? *words_.emplace(word).first : *known;
}

Fact fact_of(const core::Message& message, Words& words) {
    const core::Envelope& envelope = message.envelope();
    const std::string_view type = words.keep(envelope.type);
    Fact fact{.id = envelope.id,
              .cause = envelope.cause,
              .type = type,
              .event = detail::split_type(type).name,
              .service = words.keep(envelope.source),
              .step = words.keep(envelope.step),
              .because = words.keep(envelope.because),
              .kind = envelope.kind,
              .time = envelope.time,
              .started = envelope.started,
              .stored_at = message.stored_at(),
              .seq = message.seq(),
              .hops = envelope.hops,
              .passed_over = {}};
    if (type != runtime::kOperatorActed) return fact;
    const auto word = runtime::read_operation(envelope.payload);
    if (word && word->operation != core::Operation::retry)
        fact.passed_over = {words.keep(word->what), words.keep(word->step), word->event_id};
    return fact;
}

}  // namespace saga::view
