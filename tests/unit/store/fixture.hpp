// Databases for tests of the store: in memory, or a file in a folder that goes with the test.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "saga/store/store.hpp"

namespace saga::test {

class Folder {
  public:
    Folder();
    ~Folder();
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    std::string file(const std::string& name) const { return (path_ / name).string(); }

  private:
    std::filesystem::path path_;
};

inline const std::vector<std::string> kShelf{
    "CREATE TABLE shelf (sku TEXT PRIMARY KEY, units INT)"};

inline store::Database::Options at(const std::string& path) {
    return {.path = path, .vfs = {}};
}
/// An id that ends in this number.
EventId id(std::uint8_t last);
inline Time at_ms(int ms) {
    return Time(std::chrono::milliseconds(ms));
}
std::vector<std::byte> bytes(std::string_view text);
std::string text(Bytes bytes);

/// A store in memory, inside a transaction.
struct Fresh {
    Fresh() { store.db().begin(); }
    store::Store store{at(":memory:"), kShelf};
};

/// What a call threw, or "".
template <class Call>
std::string thrown(Call call) {
    try {
        call();
    } catch (const Error& failure) {
        return failure.what();
    }
    return {};
}

}  // namespace saga::test
