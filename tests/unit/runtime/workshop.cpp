#include "tests/unit/runtime/workshop.hpp"

#include <algorithm>

#include "engine_generated.h"
#include "saga/core/subject.hpp"

namespace saga::test {

std::uint64_t Stream::put(std::string subject, std::vector<std::byte> bytes) {
    const std::uint64_t seq = messages.size() + 1;
    messages.push_back({std::move(subject), std::move(bytes), seq, core::StoreTime(now)});
    return seq;
}

std::uint64_t Stream::put(core::Envelope envelope) {
    envelope.id.bytes[0] = 0xEE;
    envelope.id.bytes[15] = static_cast<std::uint8_t>(messages.size() + 1);
    if (envelope.started == Time{}) envelope.started = now;
    envelope.time = now;
    return put(core::subject_of(envelope), core::encode(envelope));
}

int Stream::count(std::string_view name) const {
    return static_cast<int>(std::ranges::count_if(messages, [&](const runtime::Delivery& each) {
        return core::parse_event_subject(each.subject)->event == name;
    }));
}

Workshop::Workshop(Service service, Stream& stream, const store::Database::Options& database)
    : service_(std::move(service)), stream_(stream), store_(database, service_.contract().tables) {
    start();
}

void Workshop::start() {
    in_ = {};
    outgoing_.clear();
    sent_.clear();
    worker_.emplace(service_.contract(), store_, key_, random_, outgoing_,
                    runtime::Worker::Options{});
}

void Workshop::die() {
    store_.rollback();
    start();
}

void Workshop::die(Service successor) {
    worker_.reset();  // it looks at the contract that goes
    service_ = std::move(successor);
    die();
}

void Workshop::restart() {
    worker_->stop();
    start();
}

void Workshop::read() {
    std::uint64_t known = store_.cursor.position().seq;
    if (!in_.messages.empty()) known = std::max(known, in_.messages.back().seq);
    for (const runtime::Delivery& each : stream_.messages)
        if (each.seq > known && worker_->subscription().wants(each.subject))
            in_.messages.push_back(each);
    in_.read_to = stream_.messages.size();
    in_.timers_until = stream_.now;
}

/// What was committed and not published yet; nothing while it catches up.
bool Workshop::publish() {
    if (worker_->catching_up()) return false;
    bool any = false;
    for (store::OutboxRow& row : store_.outbox.unsettled_after(0, 1'000)) {
        if (!sent_.insert(row.id).second) continue;
        any = true;
        if (!core::is_dead_letter(row.subject)) {
            stream_.put(std::move(row.subject), std::move(row.envelope));
            continue;
        }
        const auto read = core::decode(row.envelope);
        const Bytes payload = std::get<core::Envelope>(read).payload;
        const auto& letter = *flatbuffers::GetRoot<wire::DeadLetter>(payload.data());
        letters_.push_back(letter.reason()->str());
        in_.stored_letters.emplace_back(row.seq, letters_.size());
    }
    return any;
}

void Workshop::work() {
    bool busy = true;
    while (busy) {
        read();
        const runtime::Committed done = worker_->round(in_, stream_.now);
        busy = publish() || done.items > 0;
    }
}

void Workshop::begin_catch_up() {
    for (const runtime::Delivery& each : stream_.messages) {
        const auto read = core::decode(each.bytes);
        const auto& own = std::get<core::Envelope>(read);
        const bool ours = own.source == service_.contract().service;
        if (each.seq > store_.cursor.position().seq && ours && !worker_->published(own))
            store_.recorded.insert(own.id, {each.seq, each.bytes});
    }
    worker_->begin_catch_up(stream_.messages.size());
}

std::int64_t Workshop::value(std::string_view select) {
    store::Statement statement(store_.db(), select);
    return store::number(statement);
}

}  // namespace saga::test
