#include "saga/store/reserve.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include "tests/unit/store/fixture.hpp"

using namespace saga;
using namespace saga::test;
using store::Reserve;

namespace {

std::int64_t taken(const std::string& path) {
    struct stat found {};
    return ::stat(path.c_str(), &found) == 0 ? found.st_blocks * 512 : 0;
}

}  // namespace

TEST_CASE("reserve: takes up its room, gives it up, and finds what an earlier process held") {
    const Folder folder;
    const std::string path = folder.file("a.reserve");
    Reserve reserve(path, 1 << 20);
    CHECK(!reserve.held());
    CHECK(reserve.take());
    CHECK(taken(path) >= 1 << 20);
    Reserve next(path, 1 << 20);
    CHECK(next.take());
    CHECK(taken(path) >= 1 << 20);
    next.give_up();
    CHECK(!next.held());
    CHECK(taken(path) == 0);
    next.give_up();
    CHECK(next.take());
}

TEST_CASE("reserve: no room is an answer, and leaves nothing; none is always held") {
    const Folder folder;
    Reserve large(folder.file("a.reserve"), std::uint64_t{1} << 50);
    CHECK(!large.take());
    CHECK(taken(folder.file("a.reserve")) == 0);
    Reserve nowhere(folder.file("none/a.reserve"), 1);
    CHECK(!nowhere.take());
    Reserve none(folder.file("b.reserve"), 0);
    CHECK(none.held());
    none.give_up();
    CHECK(none.held());
    CHECK(!std::filesystem::exists(folder.file("b.reserve")));
}
