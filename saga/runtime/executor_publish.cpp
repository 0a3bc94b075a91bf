// What an item publishes: events of its saga, and notices for operators.
#include <algorithm>

#include "engine_generated.h"
#include "saga/core/limits.hpp"
#include "saga/core/subject.hpp"
#include "saga/core/text.hpp"
#include "saga/runtime/executor.hpp"
#include "saga/store/failpoint.hpp"

namespace saga::runtime {

void Executor::publish(const core::Publication& publication) {
    for (std::uint32_t i = 0; i < publication.events.size(); ++i) {
        const EventId id =
            id_of(publication.step, publication.role, publication.first_slot + i, publication.run);
        const bool sealed = i == 0 && !answer_.empty();
        write_event({.id = id,
                     .kind = i == 0 ? publication.kind : publication.rest,
                     .step = publication.step,
                     .because = publication.because,
                     .sealed = sealed ? Bytes(answer_) : Bytes{}},
                    publication.events[i]);
    }
    answer_.clear();
}

EventId Executor::publish_command(const detail::CommandCode& command, const detail::Emitted& event,
                                  const EventId& fingerprint) {
    const EventId id = id_of(command.verb, core::Role::command, 0, {});
    write_event({.id = id,
                 .kind = command.ends_saga ? Kind::ended : Kind::done,
                 .step = command.verb,
                 .because = {},
                 .sealed = std::as_bytes(std::span(fingerprint.bytes))},
                event);
    return id;
}

EventId Executor::publish_operation(std::string_view saga_id, const detail::Emitted& word) {
    EventId nonce;  // two words of an operator are two events, however alike
    for (std::size_t i = 0; i < nonce.bytes.size(); ++i)
        nonce.bytes[i] = static_cast<std::uint8_t>(random_.next());
    const EventId id = key_.id(state_->row.started, {contract_.service, saga_id, kOperationStep,
                                                     core::Role::operation, 0, nonce});
    write_event({.id = id,
                 .kind = Kind::done,
                 .step = kOperationStep,
                 .because = {},
                 .sealed = std::as_bytes(std::span(nonce.bytes))},
                word);
    return id;
}

void Executor::write_event(const Out& out, const detail::Emitted& event) {
    const std::int64_t seq = store_.outbox.next_seq();
    const std::string& saga = state_->row.id;
    store::OutboxRow row{
        .seq = seq, .id = out.id, .saga = state_->row.key, .subject = {}, .envelope = {}};
    row.subject = core::event_subject(contract_.service, out.kind, event.type->name, saga,
                                      options_.saga_in_subject);
    if (catching_up_) {
        if (auto recorded = store_.recorded.find(out.id)) {
            row.envelope = std::move(recorded->envelope);
            const Time time = std::get<core::Envelope>(core::decode(row.envelope)).time;
            happened_ = std::min(now_, time);
            store_.outbox.insert(row, std::max(now_, time), recorded->stands());
            return store_.recorded.erase(out.id);
        }
    }
    std::vector<std::byte> sealed;
    if (!out.sealed.empty()) sealed = key_.seal(out.id, out.sealed);
    row.envelope = core::encode({
        .id = out.id,
        .type = event.type->full,
        .saga = saga,
        .started = state_->row.started,
        .cause = origin_.cause,
        .source = contract_.service,
        .sequence = static_cast<std::uint64_t>(seq),
        .time = std::max(now_, origin_.time),
        .kind = out.kind,
        .step = out.step,
        .because = out.because,
        .hops = static_cast<std::uint16_t>(origin_.cause ? origin_.hops + 1 : 0),
        .trace = origin_.trace,
        .sealed = sealed,
        .payload = event.payload,
    });
    if (store_.outbox.insert(row, now_, std::nullopt)) published_.push_back(std::move(row));
    SAGA_FAILPOINT(outboxed);
}

void Executor::notice(std::string_view step, std::string_view why, int attempts, bool blocks,
                      const core::Message* event, std::string_view subject, Bytes message,
                      std::uint64_t stream_seq) {
    static const detail::EventType type{"saga.wire.DeadLetter", "wire", "DeadLetter", {}, {}};
    const core::Envelope about = event ? event->envelope() : core::Envelope{};
    const std::string_view saga = event ? about.saga : std::string_view(state_->row.id);
    const auto name = detail::split_type(about.type).name;

    flatbuffers::FlatBufferBuilder builder;
    const auto service_at = builder.CreateString(contract_.service);
    const auto reason_at = builder.CreateString(why.data(), why.size());
    const auto step_at = builder.CreateString(step.data(), step.size());
    const auto id_at = builder.CreateVector(about.id.bytes.data(), about.id.bytes.size());
    const auto subject_at = builder.CreateString(subject.data(), subject.size());
    const Bytes copy = message.first(std::min(message.size(), core::kMaxDeadLetterCopy));
    const auto message_at =
        builder.CreateVector(reinterpret_cast<const std::uint8_t*>(copy.data()), copy.size());
    builder.Finish(wire::CreateDeadLetter(builder, service_at, reason_at, step_at, attempts, id_at,
                                          subject_at, stream_seq, blocks, message_at));
    const auto* begin = reinterpret_cast<const std::byte*>(builder.GetBufferPointer());
    const std::vector<std::byte> payload(begin, begin + builder.GetSize());

    const std::int64_t seq = store_.outbox.next_seq();
    const std::string id = core::is_saga_id(saga) ? std::string(saga) : "unknown";
    const Time started = event ? about.started : now_;
    store::OutboxRow row{
        .seq = seq,
        .id = key_.id(started, {contract_.service, id, "notice", core::Role::notice,
                                static_cast<std::uint32_t>(seq), about.id}),
        .saga = 0,
        .subject = core::dead_letter_subject(contract_.service, name, saga),
        .envelope = {}};
    row.envelope = core::encode({.id = row.id,
                                 .type = type.full,
                                 .saga = id,
                                 .started = started,
                                 .cause = about.id,
                                 .source = contract_.service,
                                 .sequence = static_cast<std::uint64_t>(seq),
                                 .time = now_,
                                 .step = "notice",
                                 .payload = payload});
    store_.outbox.insert(row, now_, std::nullopt);
    published_.push_back(std::move(row));
}

}  // namespace saga::runtime
