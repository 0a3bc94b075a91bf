// A disk that is really full: the database, its WAL and its journal on a small tmpfs.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mount.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "tests/integration/stage.hpp"

using namespace saga;
using namespace saga::testing;
namespace fs = std::filesystem;

namespace {

/// A small disk, and a file on it that takes what room there is.
class SmallDisk {
  public:
    SmallDisk() {
        if (::mount("tmpfs", path().c_str(), "tmpfs", 0, "size=8m") != 0)
            trouble_ = std::strerror(errno);
    }
    ~SmallDisk() {
        if (trouble_.empty()) ::umount2(path().c_str(), MNT_DETACH);
    }
    SmallDisk(const SmallDisk&) = delete;
    SmallDisk& operator=(const SmallDisk&) = delete;

    const std::string& trouble() const { return trouble_; }
    std::string path() const { return folder_.path(); }

    /// Leaves room for so many bytes.
    void fill(std::int64_t room) {
        const int file = ::open(ballast().c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        const std::array<char, 4096> page{};
        while (::write(file, page.data(), page.size()) > 0) continue;
        REQUIRE(errno == ENOSPC);
        ::close(file);
        const auto size = static_cast<std::int64_t>(fs::file_size(ballast()));
        fs::resize_file(ballast(), static_cast<std::uintmax_t>(std::max(size - room, INT64_C(0))));
    }
    void make_room() { fs::remove(ballast()); }

  private:
    std::string ballast() const { return folder_ / "ballast"; }
    TempFolder folder_;
    std::string trouble_;
};

/// A landscape whose auditor lives on a small disk.
template <class Test>
void on_small_disk(Test test) {
    on_each_landscape([&](Landscape& l) {
        SmallDisk disk;
        if (!disk.trouble().empty()) {
            fmt::print("skipped: a full tmpfs: {}\n", disk.trouble());
            return;
        }
        l.auditing->stop();
        for (const char* tail : {".db", ".key"})
            fs::copy_file(l.folder / (std::string("auditor") + tail),
                          disk.path() + "/auditor" + tail);
        l.auditing.emplace(auditor(), disk.path(), l.broker.url());
        REQUIRE(l.drive_all([&] { return l.ready(); }));
        test(l, disk);
        l.auditing.reset();  // before its disk
    });
}

bool full(Landscape& l) {
    return l.auditing->state().starts_with("its disk is full");
}

std::int64_t checks(Landscape& l) {
    return l.auditing->value("SELECT count(*) FROM checks");
}

/// Asks until the disk is full.
void ask_until_full(Landscape& l, int& asked) {
    for (int i = 0; i < 400 && !full(l); ++i) l.ask(fmt::format("t{}", asked++), 0);
    REQUIRE(l.drive_all([&] { return full(l); }));
    CHECK(l.auditing->running());
}

/// What stands in the stream was committed, and all that was committed stands in its outbox.
void check_true(Landscape& l) {
    const std::int64_t committed = checks(l);
    CHECK(l.auditing->value("SELECT count(*) FROM outbox WHERE subject LIKE '%.Checked.%'") ==
          committed);
    const Counted counted = count_stream(l.broker);
    const auto said = counted.names.find("Checked");
    CHECK((said == counted.names.end() ? 0 : said->second) <= committed);
}

void check_whole(Landscape& l, int asked) {
    REQUIRE(l.drive_all([&] { return ended(*l.asking) == asked && l.at_rest(); }));
    CHECK(checks(l) == asked);
    const Counted counted = count_stream(l.broker);
    CHECK(counted.names.at("Checked") == asked);
    for (const auto& each : counted.ids) CHECK_MESSAGE(each.second == 1, each.first);
    CHECK(l.auditing->value("SELECT count(*) FROM pragma_quick_check WHERE quick_check != 'ok'") ==
          0);
}

}  // namespace

TEST_CASE("room: a full disk pauses the service, wherever the room ends, and room lets it go on") {
    on_small_disk([](Landscape& l, SmallDisk& disk) {
        int asked = 0;
        for (const int pages : {0, 1, 2, 3, 5, 8, 13, 21}) {
            CAPTURE(pages);
            disk.fill(4096 * pages);
            ask_until_full(l, asked);
            check_true(l);
            disk.make_room();
            check_whole(l, asked);
        }
    });
}

TEST_CASE("room: a service that dies on a full disk has lost nothing when it comes back") {
    on_small_disk([](Landscape& l, SmallDisk& disk) {
        int asked = 0;
        for (const int pages : {0, 3, 6}) {
            CAPTURE(pages);
            disk.fill(4096 * pages);
            ask_until_full(l, asked);
            check_true(l);
            try {
                if (pages > 0) l.auditing->stop();
            } catch (const store::DiskFull&) {  // then it is an unclean one
            }
            l.auditing->kill();
            disk.make_room();
            l.auditing.emplace(auditor(), disk.path(), l.broker.url());
            check_whole(l, asked);
        }
    });
}

TEST_CASE("room: on a disk that is full a start says so") {
    on_small_disk([](Landscape& l, SmallDisk& disk) {
        l.ask("t", 1);
        REQUIRE(l.drive_all([&] { return ended(*l.asking) == 1 && l.at_rest(); }));
        l.auditing->stop();
        disk.fill(0);
        Process process("integration-victim", {"--data", disk.path(), "--server", l.broker.url()},
                        l.folder / "victim.log");
        CHECK(process.wait() == 1);
        CAPTURE(process.said());
        CHECK(process.said().find("full") != std::string::npos);
        disk.make_room();
        l.auditing.emplace(auditor(), disk.path(), l.broker.url());
        check_whole(l, 1);
    });
}

TEST_CASE("room: on a full disk a service gives up its reserve, and forgets with it") {
    on_small_disk([](Landscape& l, SmallDisk& disk) {
        constexpr std::uint64_t kReserve = 1 << 19;
        int asked = 0;
        const auto ask = [&](int times) {
            for (int i = 0; i < times; ++i) l.ask(fmt::format("t{}", asked++), 0);
        };
        ask(400);
        REQUIRE(l.drive_all([&] { return ended(*l.asking) == asked && l.at_rest(); }, 60s));
        l.auditing->stop();
        disk.fill(kReserve + std::int64_t{4096} * 12);
        l.auditing.emplace(auditor(), disk.path(), l.broker.url(),
                           Instance::Options{.horizons = {0s, 0s}, .reserve_bytes = kReserve});
        CHECK(fs::file_size(disk.path() + "/auditor.db.reserve") == kReserve);
        ask_until_full(l, asked);
        CHECK(!fs::exists(disk.path() + "/auditor.db.reserve"));
        REQUIRE(l.drive_all([&] { return l.ready(); }, 60s));
        CHECK(l.auditing->value("SELECT count(*) FROM sagas") < 400);
        disk.make_room();
        check_whole(l, asked);
    });
}

TEST_CASE("room: whoever stays full keeps its name, and says so after the broker was away") {
    on_small_disk([](Landscape& l, SmallDisk& disk) {
        constexpr std::uint64_t kReserve = 1 << 19;
        int asked = 0;
        l.auditing->stop();
        l.auditing.emplace(auditor(), disk.path(), l.broker.url(),
                           Instance::Options{.reserve_bytes = kReserve});
        REQUIRE(l.drive_all([&] { return l.ready(); }));
        disk.fill(0);
        ask_until_full(l, asked);
        disk.fill(0);  // what the reserve was
        l.broker.kill();
        l.broker.start();
        const auto said = [&](const char* verb) {
            return request(l.broker, l.all(), fmt::format("saga-ctl.auditor.{}", verb), "");
        };
        CHECK(said("owner").find("instance") != std::string::npos);
        CHECK(said("state").find("disk is full") != std::string::npos);
        CHECK(full(l));
        disk.make_room();
        check_whole(l, asked);
    });
}
