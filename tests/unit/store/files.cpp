#include "tests/unit/store/files.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <iterator>

namespace saga::test {
namespace {

constexpr std::size_t kFrame = 24 + 4096;

std::string name_of(const Folder& folder) {
    return folder.file("left.db");
}

void lay(const Folder& folder, const Left& left) {
    write(name_of(folder), left.db);
    if (left.wal.empty())
        std::filesystem::remove(name_of(folder) + "-wal");
    else
        write(name_of(folder) + "-wal", left.wal);
}

std::size_t frames(const std::string& path) {
    return (std::filesystem::file_size(path) - 32) / kFrame;
}

}  // namespace

Left killed_after(const Folder& folder, int rows,
                  const std::function<void(store::Database&)>& more) {
    const std::string path = folder.file("killed.db");
    for (const char* tail : {"", "-wal"}) std::filesystem::remove(path + tail);
    store::Database db(at(path));
    db.exec("CREATE TABLE t (x)");
    Left left;
    for (int i = 0; i < rows; ++i) {
        left.last_transaction = frames(path + "-wal");
        db.begin();
        db.exec("INSERT INTO t VALUES (randomblob(6000))");
        db.commit();
        left.frames_each = frames(path + "-wal") - left.last_transaction;
    }
    if (more) more(db);
    left.db = content(path);
    left.wal = content(path + "-wal");
    return left;
}

std::string opening(const Folder& folder, const Left& left) {
    lay(folder, left);
    const std::string why = thrown([&] { store::Database db(at(name_of(folder))); });
    if (why.empty()) return why;
    CHECK(content(name_of(folder)) == left.db);
    CHECK(content(name_of(folder) + "-wal") == left.wal);
    return why;
}

std::int64_t rows_of(const Folder& folder, const Left& left) {
    lay(folder, left);
    try {
        store::Database db(at(name_of(folder)));
        store::Statement sum(db, "SELECT sum(length(x)) FROM t");
        CHECK(store::number(sum) % 3000 == 0);
        store::Statement count(db, "SELECT count(*) FROM t");
        return store::number(count);
    } catch (const Error&) {
        return -1;
    }
}

std::string content(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

void write(const std::string& path, const std::string& text) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

}  // namespace saga::test
