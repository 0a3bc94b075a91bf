#include "tests/bench/floor/wire.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <stdexcept>

namespace bench {
namespace {

constexpr int kBuffer = 1024 * 1024;
constexpr int kReads = 16;  // of one buffer each, between two looks at what came

void must_sqlite(sqlite3* db, int code) {
    if (code != SQLITE_OK && code != SQLITE_DONE && code != SQLITE_ROW)
        throw std::runtime_error(sqlite3_errmsg(db));
}

}  // namespace

void must(natsStatus status, std::string_view doing) {
    if (status != NATS_OK)
        throw std::runtime_error(fmt::format("{}: {}", doing, natsStatus_GetText(status)));
}

Wire::Wire(const std::string& url) : inbox_(fmt::format("_INBOX.bench{}", ::getpid())) {
    natsOptions* options = nullptr;
    must(natsOptions_Create(&options), "options");
    natsOptions_SetURL(options, url.c_str());
    natsOptions_SetAllowReconnect(options, false);
    natsOptions_SetSendAsap(options, true);
    natsOptions_SetPingInterval(options, 0);
    natsOptions_SetIOBufSize(options, kBuffer);
    natsOptions_SetEventLoop(options, this, &attach, &want_read, &want_write, &detach);
    const natsStatus status = natsConnection_Connect(&connection_, options);
    natsOptions_Destroy(options);
    must(status, "connect");
}

/// The process ends with it: nobody waits for what nats.c would still like to say.
Wire::~Wire() {
    flush();
}

natsStatus Wire::attach(void** data, void* wire, natsConnection*, natsSock socket) {
    *data = wire;
    static_cast<Wire*>(wire)->socket_ = socket;
    return NATS_OK;
}
natsStatus Wire::want_read(void*, bool) {
    return NATS_OK;
}
natsStatus Wire::want_write(void* data, bool on) {
    static_cast<Wire*>(data)->writes_ = on;
    return NATS_OK;
}
natsStatus Wire::detach(void*) {
    return NATS_OK;
}

natsSubscription* Wire::subscribe(const std::string& subject) {
    natsSubscription* made = nullptr;
    must(natsConnection_SubscribeSync(&made, connection_, subject.c_str()), "subscribe");
    natsSubscription_SetPendingLimits(made, -1, -1);
    return made;
}

void Wire::publish(const std::string& subject, const std::string& reply, Bytes body,
                   const saga::core::Headers& headers) {
    natsMsg* message = nullptr;
    must(natsMsg_Create(&message, subject.c_str(), reply.empty() ? nullptr : reply.c_str(),
                        reinterpret_cast<const char*>(body.data()), static_cast<int>(body.size())),
         "message");
    for (const auto& [name, value] : headers)
        natsMsgHeader_Set(message, name.data(), value.c_str());
    const natsStatus status = natsConnection_PublishMsg(connection_, message);
    spent_.push_back(message);
    must(status, "publish");
}

natsMsg* Wire::next(natsSubscription* subscription) {
    std::uint64_t queued = 0;
    natsMsg* message = nullptr;
    if (natsSubscription_QueuedMsgs(subscription, &queued) == NATS_OK && queued > 0)
        natsSubscription_NextMsg(&message, subscription, 0);
    if (message != nullptr) spent_.push_back(message);
    return message;
}

void Wire::read() {
    for (int i = 0; i < kReads; ++i) {
        pollfd watched{.fd = socket_, .events = POLLIN, .revents = 0};
        if (::poll(&watched, 1, 0) <= 0) return;
        natsConnection_ProcessReadEvent(connection_);
        if (natsConnection_IsClosed(connection_)) throw std::runtime_error("the broker went");
    }
}

void Wire::flush() {
    if (writes_) natsConnection_ProcessWriteEvent(connection_);
}

void Wire::wait(std::chrono::nanoseconds limit) {
    for (natsMsg* message : spent_) natsMsg_Destroy(message);
    spent_.clear();
    pollfd watched{.fd = socket_, .events = POLLIN, .revents = 0};
    if (writes_) watched.events |= POLLOUT;
    const timespec pause{.tv_sec = limit.count() / 1'000'000'000,
                         .tv_nsec = limit.count() % 1'000'000'000};
    ::ppoll(&watched, 1, &pause, nullptr);
    if ((watched.revents & POLLOUT) != 0) flush();
}

std::string Wire::ask(const std::string& subject, Bytes body) {
    natsSubscription* answers = subscribe(inbox_ + ".ask");
    publish(subject, inbox_ + ".ask", body);
    natsMsg* message = nullptr;
    while ((message = next(answers)) == nullptr) {
        flush();
        wait(std::chrono::seconds(1));
        read();
    }
    std::string answer(body_of(message));
    natsSubscription_Unsubscribe(answers);
    return answer;
}

Database::Database(const std::string& path, const char* tables) {
    must_sqlite(db_, sqlite3_open(path.c_str(), &db_));
    run("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
        "PRAGMA foreign_keys = ON");
    run(tables);
}

Database::~Database() {
    sqlite3_close_v2(db_);
}

void Database::run(const char* sql) {
    must_sqlite(db_, sqlite3_exec(db_, sql, nullptr, nullptr, nullptr));
}

Prepared::Prepared(const Database& db, std::string_view sql) {
    must_sqlite(db.handle(),
                sqlite3_prepare_v3(db.handle(), sql.data(), static_cast<int>(sql.size()),
                                   SQLITE_PREPARE_PERSISTENT, &statement_, nullptr));
}

int Prepared::finish() {
    sqlite3* db = sqlite3_db_handle(statement_);
    const int code = sqlite3_step(statement_);
    sqlite3_reset(statement_);
    must_sqlite(db, code);
    return sqlite3_changes(db);
}

std::vector<std::byte> Prepared::first_blob() {
    std::vector<std::byte> found;
    if (sqlite3_step(statement_) == SQLITE_ROW) {
        const auto* data = static_cast<const std::byte*>(sqlite3_column_blob(statement_, 0));
        found.assign(data, data + sqlite3_column_bytes(statement_, 0));
    }
    sqlite3_reset(statement_);
    return found;
}

}  // namespace bench
