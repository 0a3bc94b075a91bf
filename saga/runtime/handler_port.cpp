#include "saga/runtime/handler_port.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace saga::runtime {

std::int64_t HandlerPort::exec(std::string_view sql, std::span<const detail::Value> args) {
    return store_.business.exec(sql, args);
}

void HandlerPort::query(std::string_view sql, std::span<const detail::Value> args,
                        const OnRow& on_row) {
    store_.business.query(sql, args, on_row);
}

void HandlerPort::lock(std::span<const std::string_view> entities) {
    if (locked_) throw std::logic_error("a handler locks once: name all its entities together");
    locked_ = true;
    if (locking_ == Locking::none) return;
    std::vector<std::string> wanted(entities.begin(), entities.end());
    std::sort(wanted.begin(), wanted.end());
    wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
    require_free(wanted);
    took_locks_ = true;
    for (const std::string& entity : wanted) store_.locks.take(entity, state_.row.key);
}

/// Throws LockHeld, unless nobody is before this saga.
void HandlerPort::require_free(const std::vector<std::string>& entities) {
    const std::int64_t own = state_.row.key;
    for (const std::string& entity : entities) {
        const store::Locks::Before other = store_.locks.before(entity, own);
        if (other.saga == 0 || (!other.holds && locking_ == Locking::ahead)) continue;
        const std::string id = store_.sagas.find(other.saga).id;
        const bool deadlock = other.holds && store_.locks.waits_for(other.saga, own);
        if (held_ && !deadlock) continue;
        held_.emplace(deadlock ? fmt::format("a deadlock: saga {} holds {}, and waits for what "
                                             "this one holds",
                                             id, entity)
                      : other.holds ? fmt::format("saga {} holds {}", id, entity)
                                    : fmt::format("saga {} asked for {} before", id, entity),
                      entities, deadlock);
        if (deadlock) break;
    }
    require_locks();
}

bool HandlerPort::seen(std::string_view event) {
    const std::int64_t saga = state_.row.key;
    return saga != 0 && (handled(event) || store_.commands.accepted(saga, event) ||
                         store_.journal.published(saga, event) || store_.inbox.read(saga, event));
}

/// Whether a step has taken it, or waits for the other half with it.
bool HandlerPort::handled(std::string_view event) const {
    for (const detail::StepCode& step : contract_.steps) {
        const auto type = std::find_if(step.starts_on.begin(), step.starts_on.end(),
                                       [&](detail::Type each) { return each->name == event; });
        if (type == step.starts_on.end()) continue;
        const auto slot = static_cast<std::uint32_t>(type - step.starts_on.begin());
        const bool ran =
            std::any_of(state_.steps.begin(), state_.steps.end(), [&](const auto& row) {
                return row.step == step.name && row.state != core::StepState::tombstone;
            });
        const bool waits = std::any_of(
            state_.arrived.begin(), state_.arrived.end(),
            [&](const auto& half) { return half.step == step.name && half.slot == slot; });
        if (ran || waits) return true;
    }
    return false;
}

void Given::add(const core::Envelope& envelope) {
    Bytes payload = envelope.payload;
    if (reinterpret_cast<std::uintptr_t>(payload.data()) % 8 != 0)
        payload = bytes.emplace_back(payload.begin(), payload.end());
    hops = std::max(hops, envelope.hops);
    if (!envelope.trace.empty()) trace = envelope.trace;
    events.push_back({envelope.id, envelope.type, envelope.saga, envelope.source, envelope.kind,
                      envelope.time, payload});
}

void Given::add(std::vector<std::byte> envelope_bytes) {
    const auto read = core::decode(bytes.emplace_back(std::move(envelope_bytes)));
    SAGA_ASSERT(std::holds_alternative<core::Envelope>(read));  // it was when it was kept
    add(std::get<core::Envelope>(read));
}

std::vector<std::byte> Given::packed() const {
    std::vector<std::byte> packed;
    for (const AnyEvent& event : events) {
        const auto size = static_cast<std::uint32_t>(event.payload.size());
        for (const int shift : {24, 16, 8, 0}) packed.push_back(std::byte(size >> shift));
        packed.insert(packed.end(), event.payload.begin(), event.payload.end());
    }
    return packed;
}

bool Given::unpack(Bytes packed) {
    while (packed.size() >= 4) {
        std::uint32_t size = 0;
        for (const std::byte byte : packed.first(4))
            size = size << 8 | std::to_integer<std::uint32_t>(byte);
        packed = packed.subspan(4);
        if (size > packed.size()) return false;
        bytes.emplace_back(packed.begin(), packed.begin() + size);
        packed = packed.subspan(size);
    }
    return packed.empty();
}

}  // namespace saga::runtime
