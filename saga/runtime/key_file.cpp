#include "saga/runtime/key_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "saga/store/durable.hpp"

namespace saga::runtime {
namespace {

constexpr std::size_t kDigits = 2 * core::IdKey::kSize;
using Secret = std::array<std::uint8_t, core::IdKey::kSize>;

[[noreturn]] void fail(const std::string& doing) {
    throw Error(fmt::format("cannot {}: {}", doing, std::strerror(errno)));
}

/// Under another name first, so that a crash leaves no half of a key; of two shards that start at
/// once, the first makes it for both.
void make_key(const std::string& path) {
    Secret secret;
    SAGA_ASSERT(sodium_init() >= 0);
    randombytes_buf(secret.data(), secret.size());
    std::array<char, kDigits + 1> text{};
    sodium_bin2hex(text.data(), text.size(), secret.data(), secret.size());
    text[kDigits] = '\n';
    const std::string part = fmt::format("{}.part-{}", path, ::getpid());
    store::write_private(part, {text.data(), text.size()});
    store::name_durably(part, path);
    sodium_memzero(secret.data(), secret.size());
    sodium_memzero(text.data(), text.size());
}

}  // namespace

std::string key_path(const std::string& folder, std::string_view instance) {
    return fmt::format("{}/{}.key", folder, core::parse_instance(instance).service);
}

core::IdKey load_key(const std::string& path, bool may_make) {
    struct stat found {};
    if (::stat(path.c_str(), &found) != 0) {
        if (!may_make)
            throw Error(
                fmt::format("the database was made with a key that is not here: bring back "
                            "{} from the backup (without it every event would get another "
                            "id, and the bank another key)",
                            path));
        make_key(path);
    } else if ((found.st_mode & 077) != 0) {
        throw Error(fmt::format(
            "{} can be read by others: chmod 600 it, and consider the key known", path));
    }
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) fail("read the key file " + path);
    std::array<char, kDigits + 2> text{};
    const auto size = ::read(file, text.data(), text.size());
    ::close(file);
    Secret secret;
    std::size_t bytes = 0;
    const bool sound = size >= ssize_t(kDigits) &&
                       sodium_hex2bin(secret.data(), secret.size(), text.data(), kDigits, nullptr,
                                      &bytes, nullptr) == 0 &&
                       bytes == secret.size();
    if (!sound)
        throw Error(
            fmt::format("{} is no key: it should be {} hexadecimal digits; bring it back "
                        "from a backup",
                        path, kDigits));
    const core::IdKey key(secret);
    sodium_memzero(secret.data(), secret.size());
    sodium_memzero(text.data(), text.size());
    return key;
}

void bind_key(store::Store& store, const core::IdKey& key, const std::string& path) {
    const std::string fingerprint = key.fingerprint().text();
    const auto known = store.meta.text(store::Meta::kKey);
    // One that never read has made no id yet: it may have been started before it had its key.
    const bool unused = store.cursor.position().created == core::StoreTime{};
    if (!known || (unused && *known != fingerprint)) {
        store.db().begin();
        store.meta.set(store::Meta::kKey, fingerprint);
        store.db().commit();
    } else if (*known != fingerprint) {
        throw Error(
            fmt::format("{} is not the key that {} was made with: every event would get "
                        "another id; bring the right one back from the backup",
                        path, store.db().path()));
    }
}

}  // namespace saga::runtime
