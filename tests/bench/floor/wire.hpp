// What a service needs of nats.c and SQLite, and no more: one connection that is read and written
// by the thread that owns it, and statements that are prepared once.
#pragma once

#include <nats/nats.h>
#include <sqlite3.h>

#include <chrono>
#include <cstdint>
#include <saga/event.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "saga/core/envelope.hpp"

namespace bench {

using saga::Bytes;
using saga::EventId;

void must(natsStatus status, std::string_view doing);

class Wire {
  public:
    explicit Wire(const std::string& url);
    ~Wire();
    Wire(const Wire&) = delete;
    Wire& operator=(const Wire&) = delete;

    /// Under a subject that begins with this, answers to this connection come.
    const std::string& inbox() const { return inbox_; }
    natsSubscription* subscribe(const std::string& subject);
    void publish(const std::string& subject, const std::string& reply, Bytes body,
                 const saga::core::Headers& headers = {});
    /// The next message that has come, or null. Valid until wait().
    natsMsg* next(natsSubscription* subscription);
    void read();                                ///< What the socket has.
    void flush();                               ///< What was published goes out.
    void wait(std::chrono::nanoseconds limit);  ///< Until the socket can be read.
    /// An answer's body. Blocks; what comes meanwhile is kept for next().
    std::string ask(const std::string& subject, Bytes body);

  private:
    static natsStatus attach(void** data, void* wire, natsConnection* connection, natsSock socket);
    static natsStatus want_read(void* data, bool on);
    static natsStatus want_write(void* data, bool on);
    static natsStatus detach(void* data);

    natsConnection* connection_ = nullptr;
    std::string inbox_;
    std::vector<natsMsg*> spent_;  ///< for another thread of nats.c to free, all at once
    int socket_ = -1;
    bool writes_ = false;
};

inline std::string_view body_of(natsMsg* message) {
    return {natsMsg_GetData(message), static_cast<std::size_t>(natsMsg_GetDataLength(message))};
}

/// As a service opens its file: one connection, WAL, each commit on disk.
class Database {
  public:
    Database(const std::string& path, const char* tables);
    ~Database();
    Database(const Database&) = delete;
    Database& operator=(const Database&) = delete;

    void run(const char* sql);
    sqlite3* handle() const { return db_; }

  private:
    sqlite3* db_ = nullptr;
};

class Prepared {
  public:
    Prepared(const Database& db, std::string_view sql);
    ~Prepared() { sqlite3_finalize(statement_); }
    Prepared(const Prepared&) = delete;
    Prepared& operator=(const Prepared&) = delete;

    /// Runs it; the rows that it changed.
    template <class... Args>
    int operator()(const Args&... args) {
        int at = 0;
        (bind(++at, args), ...);
        return finish();
    }
    /// The blob in the first column of the only row; empty without one.
    template <class... Args>
    std::vector<std::byte> blob(const Args&... args) {
        int at = 0;
        (bind(++at, args), ...);
        return first_blob();
    }

  private:
    void bind(int at, std::int64_t value) { sqlite3_bind_int64(statement_, at, value); }
    void bind(int at, std::string_view value) {
        sqlite3_bind_text(statement_, at, value.data(), static_cast<int>(value.size()),
                          SQLITE_STATIC);
    }
    void bind(int at, Bytes value) {
        sqlite3_bind_blob(statement_, at, value.data(), static_cast<int>(value.size()),
                          SQLITE_STATIC);
    }
    void bind(int at, const EventId& id) { bind(at, std::as_bytes(std::span(id.bytes))); }
    int finish();
    std::vector<std::byte> first_blob();

    sqlite3_stmt* statement_ = nullptr;
};

}  // namespace bench
