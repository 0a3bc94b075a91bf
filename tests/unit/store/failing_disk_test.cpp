// A disk that answers with an I/O error: the process ends, and what it had told is true.
#include "tests/unit/store/failing_disk.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include "tests/unit/sparse.hpp"
#include "tests/unit/store/fixture.hpp"

using namespace saga;
using namespace saga::test;
using store::Database;

namespace {

constexpr int kCommits = 12;
constexpr int kThrew = 3;  // exit code

struct Life {
    int told = 0;          ///< commits that were told to be done
    int code = -1;         ///< of its exit; -1: a signal ended it
    bool aborted = false;  ///< by itself
};

/// Commits one row after another, and tells of each, on a disk that fails after so many calls.
void live(const std::string& path, int calls, bool stays, int tell) {
    FailingDisk disk;
    Database db({.path = path, .vfs = disk.vfs()});
    db.exec("CREATE TABLE t (n INTEGER, x BLOB)");
    store::Statement insert(db, "INSERT INTO t VALUES (?1, zeroblob(20000))");
    disk.fail_after(calls, stays);
    for (int nth = 1; nth <= kCommits; ++nth) {
        db.begin();
        insert.exec(nth);
        db.commit();
        const char word = '.';
        if (::write(tell, &word, 1) != 1) ::_exit(99);
        if (nth % 5 == 0) db.checkpoint();
    }
}

Life life_of(const std::string& path, int calls, bool stays) {
    std::array<int, 2> pipe{};
    REQUIRE(::pipe2(pipe.data(), O_CLOEXEC) == 0);
    const int process = ::fork();
    REQUIRE(process >= 0);
    if (process == 0) {
        std::signal(SIGABRT, SIG_DFL);
        ::dup2(::open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO);
        try {
            live(path, calls, stays, pipe[1]);
        } catch (const Error&) {
            ::_exit(kThrew);
        }
        ::_exit(0);
    }
    ::close(pipe[1]);
    Life life;
    for (char word = 0; ::read(pipe[0], &word, 1) == 1;) ++life.told;
    ::close(pipe[0]);
    int status = 0;
    REQUIRE(::waitpid(process, &status, 0) == process);
    if (WIFEXITED(status)) life.code = WEXITSTATUS(status);
    life.aborted = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
    return life;
}

/// What is there is what was told, and at most the one commit more that nobody could tell.
void check_true(const std::string& path, const Life& life) {
    Database db(at(path));
    db.look_through();
    store::Statement count(db, "SELECT count(*) FROM t"), last(db, "SELECT max(n) FROM t");
    const std::int64_t there = store::number(count);
    CHECK(there == store::number(last));
    CHECK(there >= life.told);
    CHECK(there <= life.told + 1);
}

}  // namespace

TEST_CASE(
    "failing disk: an I/O error at any write or sync ends the process, and what it told is "
    "true") {
    for (const bool stays : {true, false}) {
        int aborted = 0, threw = 0, calls = 0;
        for (bool well = false; !well; calls += kSparse) {
            CAPTURE(calls);
            CAPTURE(stays);
            REQUIRE(calls < 1'000);
            const Folder folder;
            const Life life = life_of(folder.file("a.db"), calls, stays);
            CHECK((life.aborted || life.code == kThrew || life.code == 0));
            aborted += life.aborted ? 1 : 0;
            threw += life.code == kThrew ? 1 : 0;
            check_true(folder.file("a.db"), life);
            // SQLite tries a checkpoint again by itself: one failure there hurts nobody.
            well = life.code == 0 && calls > 100;
            CHECK((life.code != 0 || life.told == kCommits));
        }
        CHECK(aborted >= kCommits / kSparse);
        CHECK(threw > 0);
    }
}
