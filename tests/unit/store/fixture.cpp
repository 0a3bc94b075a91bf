#include "tests/unit/store/fixture.hpp"

#include <cstdlib>

namespace saga::test {

Folder::Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "saga-store-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw Error("cannot make a folder " + name);
    path_ = name;
}

Folder::~Folder() {
    std::error_code none;
    std::filesystem::remove_all(path_, none);
}

EventId id(std::uint8_t last) {
    EventId made;
    made.bytes.back() = last;
    return made;
}

std::vector<std::byte> bytes(std::string_view text) {
    const auto* begin = reinterpret_cast<const std::byte*>(text.data());
    return {begin, begin + text.size()};
}

std::string text(Bytes bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace saga::test
