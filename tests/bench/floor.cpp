// What this machine's disk and broker allow, without an engine: the floor that the benchmarks
// compare with. Prints one JSON object.
//
//   floor NATS_URL FOLDER
#include <fmt/format.h>
#include <nats/nats.h>
#include <sqlite3.h>

#include <chrono>
#include <stdexcept>
#include <string>

namespace {

using std::chrono::steady_clock;

constexpr int kMessages = 20'000;
constexpr int kCommits = 300;
constexpr int kBytes = 400;  // an event of the shop with its envelope

void must(natsStatus status) {
    if (status != NATS_OK) throw std::runtime_error(natsStatus_GetText(status));
}

double rate(int count, steady_clock::time_point begun) {
    return count / std::chrono::duration<double>(steady_clock::now() - begun).count();
}

/// Messages a second that one connection has acknowledged, as many in flight as it likes.
double published(const char* url) {
    natsConnection* connection = nullptr;
    jsCtx* context = nullptr;
    must(natsConnection_ConnectTo(&connection, url));
    must(natsConnection_JetStream(&context, connection, nullptr));
    const char* subject = "floor";
    jsStreamConfig stream;
    must(jsStreamConfig_Init(&stream));
    stream.Name = "FLOOR";
    stream.Subjects = &subject;
    stream.SubjectsLen = 1;
    stream.Storage = js_FileStorage;
    must(js_AddStream(nullptr, context, &stream, nullptr, nullptr));
    const std::string body(kBytes, 'x');
    const auto begun = steady_clock::now();
    for (int i = 0; i < kMessages; ++i)
        must(js_PublishAsync(context, subject, body.data(), kBytes, nullptr));
    must(js_PublishAsyncComplete(context, nullptr));
    const double result = rate(kMessages, begun);
    must(js_DeleteStream(context, stream.Name, nullptr, nullptr));
    jsCtx_Destroy(context);
    natsConnection_Destroy(connection);
    return result;
}

/// Transactions of one small row a second, each on disk when it returns.
double committed(const std::string& folder) {
    sqlite3* db = nullptr;
    const auto run = [&db](const char* sql) {
        if (sqlite3_exec(db, sql, nullptr, nullptr, nullptr) != SQLITE_OK)
            throw std::runtime_error(sqlite3_errmsg(db));
    };
    if (sqlite3_open((folder + "/floor.db").c_str(), &db) != SQLITE_OK)
        throw std::runtime_error("cannot open a database in " + folder);
    run("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE t (a, b)");
    const auto begun = steady_clock::now();
    for (int i = 0; i < kCommits; ++i) run("INSERT INTO t VALUES (1, randomblob(100))");
    const double result = rate(kCommits, begun);
    sqlite3_close(db);
    return result;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        fmt::print(stderr, "floor NATS_URL FOLDER\n");
        return 2;
    }
    try {
        fmt::print("{{\"publishes_per_second\":{:.0f},\"commits_per_second\":{:.0f}}}\n",
                   published(argv[1]), committed(argv[2]));
    } catch (const std::exception& failure) {
        fmt::print(stderr, "floor: {}\n", failure.what());
        return 1;
    }
    return 0;
}
