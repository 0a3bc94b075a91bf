// The key of a service's ids, and the database that it is bound to.
#include "saga/runtime/key_file.hpp"

#include <doctest/doctest.h>

#include "tests/unit/store/fixture.hpp"

using namespace saga;
using namespace saga::test;
using runtime::bind_key;
using runtime::load_key;

TEST_CASE("key: another one is refused once the database has read, and never before") {
    Folder folder;
    const core::IdKey first = load_key(folder.file("a.key"), true);
    const core::IdKey second = load_key(folder.file("b.key"), true);
    store::Store store(at(folder.file("a.db")), kShelf);
    bind_key(store, first, "a.key");
    bind_key(store, second, "b.key");  // it came late: no id was made with the first
    CHECK(store.meta.text(store::Meta::kKey) == second.fingerprint().text());
    store.db().begin();
    store.cursor.adopt({core::StoreTime(std::chrono::seconds(1)), 0, 0, {}});
    store.db().commit();
    bind_key(store, second, "b.key");
    CHECK(thrown([&] { bind_key(store, first, "a.key"); }).find("is not the key that") !=
          std::string::npos);
    CHECK(store.meta.text(store::Meta::kKey) == second.fingerprint().text());
}

TEST_CASE("key: who finds one takes it, however late another was made") {
    Folder folder;
    const std::string path = folder.file("a.key");
    const core::IdKey first = load_key(path, true);
    CHECK(load_key(path, true).fingerprint() == first.fingerprint());
    CHECK(runtime::key_path("data", "payment-1-of-4") == "data/payment.key");
    CHECK(runtime::key_path("data", "payment") == "data/payment.key");
}
