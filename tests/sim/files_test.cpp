#include "tests/sim/files.hpp"

#include <doctest/doctest.h>

#include <set>

using namespace saga::sim;

namespace {

std::span<const std::byte> bytes(const std::string& text) {
    return std::as_bytes(std::span(text));
}

/// All that power cuts leave of a file that was made by `make`.
template <class Make>
std::set<std::string> leavings(Make make) {
    std::set<std::string> seen;
    Chance chance(1);
    for (int nth = 0; nth < 300; ++nth) {
        File file;
        make(file);
        Survival survival(chance);
        file.cut(survival);
        std::string left(file.size(), '?');
        file.read(0, std::as_writable_bytes(std::span(left)));
        seen.insert(left);
    }
    return seen;
}

}  // namespace

TEST_CASE("files: what was synced outlives every power cut") {
    const auto seen = leavings([](File& file) {
        file.write(0, bytes(std::string(2'000, '1')));
        file.truncate(1'000);
        file.sync();
    });
    CHECK(seen == std::set{std::string(1'000, '1')});
}

TEST_CASE("files: of a write that was not synced any sectors are there, each whole") {
    const auto seen = leavings([](File& file) {
        file.write(0, bytes(std::string(3 * kSector, '1')));
        file.sync();
        file.write(100, bytes(std::string(2 * kSector, '2')));
    });
    CHECK(seen.size() == 8);  // of three sectors that it touches
    for (const auto& left : seen) {
        REQUIRE(left.size() == 3 * kSector);
        CHECK(left[99] == '1');
        CHECK(left[100] == left[kSector - 1]);
        CHECK(left[kSector] == left[2 * kSector - 1]);
        CHECK(left[2 * kSector] == left[2 * kSector + 99]);
        CHECK(left[2 * kSector + 100] == '1');
    }
}

TEST_CASE("files: what grew without a sync may be short, or have holes") {
    const auto seen =
        leavings([](File& file) { file.write(0, bytes(std::string(2 * kSector, '1'))); });
    const std::string sector(kSector, '1'), hole(kSector, '\0');
    CHECK(seen == std::set<std::string>{"", sector, sector + sector, hole + sector});
}

TEST_CASE("files: a truncation that was not synced happens or not") {
    const auto seen = leavings([](File& file) {
        file.write(0, bytes(std::string(10, '1')));
        file.sync();
        file.truncate(3);
    });
    CHECK(seen == std::set<std::string>{"1111111111", "111"});
}

TEST_CASE("files: what a failed sync did not write can be read, and is not synced later") {
    const auto seen = leavings([](File& file) {
        Chance chance(1);
        Survival none(chance);
        none.rate = 0;
        file.write(0, bytes(std::string(10, '1')));
        file.fail_sync(none);
        std::string read(10, '?');
        file.read(0, std::as_writable_bytes(std::span(read)));
        CHECK(read == "1111111111");
        file.write(0, bytes("22"));
        file.sync();
    });
    CHECK(seen == std::set<std::string>{"22"});
}

TEST_CASE("files: names last when the folder was synced") {
    std::set<std::string> seen;
    Chance chance(1);
    for (int nth = 0; nth < 100; ++nth) {
        Folder folder;
        folder.make("kept");
        folder.make("removed");
        folder.sync();
        folder.make("made");
        folder.remove("removed");
        Survival survival(chance);
        folder.cut(survival);
        std::string names;
        for (const auto& [name, file] : folder.names()) names += name + " ";
        seen.insert(names);
    }
    CHECK(seen ==
          std::set<std::string>{"kept ", "kept made ", "kept removed ", "kept made removed "});
}
