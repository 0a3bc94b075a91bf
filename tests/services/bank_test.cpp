#include <doctest/doctest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <limits>
#include <thread>

#include "services/bank/counter.hpp"

using namespace shop;
using namespace std::chrono_literals;

namespace {

class Folder {
  public:
    Folder() {
        std::string name = (std::filesystem::temp_directory_path() / "bank-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        path_ = name;
    }
    ~Folder() { std::filesystem::remove_all(path_); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    std::string operator/(const char* name) const { return (path_ / name).string(); }

  private:
    std::filesystem::path path_;
};

const Charge kAnn{.customer_id = "ann", .amount_cents = 900};

Receipt charge(Ledger& ledger, std::string_view key, const Charge& asked, bool unlucky = false) {
    Receipt receipt;
    ledger.write([&] { receipt = ledger.charge(key, asked, unlucky); });
    return receipt;
}
Receipt refund(Ledger& ledger, std::string_view key, const Refund& asked) {
    Receipt receipt;
    ledger.write([&] { receipt = ledger.refund(key, asked); });
    return receipt;
}
Credited credit(Ledger& ledger, std::string_view key, const Credit& asked) {
    Credited credited;
    ledger.write([&] { credited = ledger.credit(key, asked); });
    return credited;
}
void open_with(Ledger& ledger, std::int64_t cents) {
    CHECK(credit(ledger, "", Credit{.amount_cents = cents}).declined.empty());
}

/// Money is where it was, or came back: of nobody more, of nobody less.
bool conserved(const Ledger& ledger) {
    const BankBooks books = ledger.books({});
    __extension__ using Sum = __int128;  // of balances that are each as large as can be
    Sum charged = 0, refunded = 0;
    std::int64_t refunds = 0;
    for (const BankCharge& one : books.page) {
        charged += one.amount_cents;
        refunded += one.refunded_cents;
        refunds += one.refunded_cents == 0 ? 0 : 1;
    }
    return books.credit_cents ==
               Sum{books.balance_cents} + books.charged_cents - books.refunded_cents &&
           charged == books.charged_cents && refunded == books.refunded_cents &&
           refunds == books.refunds && books.page.size() == static_cast<std::size_t>(books.charges);
}

}  // namespace

TEST_CASE("bank: charges an account that its first charge opens, and gives back once") {
    Ledger ledger(":memory:");
    open_with(ledger, 1'000);
    const Receipt receipt = charge(ledger, "k1", kAnn);
    CHECK(receipt.declined == "");
    CHECK(ledger.books({}).balance_cents == 100);
    const Refund back{.charge_id = receipt.charge_id, .amount_cents = 900};
    CHECK(refund(ledger, "k2", back).declined == "");
    CHECK(refund(ledger, "k3", back).declined == "this charge was refunded before");
    CHECK(ledger.books({}).balance_cents == 1'000);
    CHECK(conserved(ledger));
}

TEST_CASE("bank: the same key and question has the same answer, also after a restart") {
    const Folder folder;
    std::string charge_id;
    {
        Ledger ledger(folder / "bank.db");
        open_with(ledger, 1'000);
        charge_id = charge(ledger, "k1", kAnn).charge_id;
        CHECK(charge(ledger, "k2", kAnn).declined == "not enough credit");
        CHECK(refund(ledger, "k3", {.charge_id = charge_id, .amount_cents = 900}).declined == "");
        CHECK(credit(ledger, "k4", {.customer_id = "ann", .amount_cents = 50}).accounts == 1);
    }
    Ledger ledger(folder / "bank.db");
    CHECK(charge(ledger, "k1", kAnn).charge_id == charge_id);
    CHECK(charge(ledger, "k2", kAnn).declined == "not enough credit");
    CHECK(refund(ledger, "k3", {.charge_id = charge_id, .amount_cents = 900}).declined == "");
    CHECK(credit(ledger, "k4", {.customer_id = "ann", .amount_cents = 50}).declined == "");
    CHECK(ledger.books({}).charges == 1);
    CHECK(ledger.books({}).refunds == 1);
    CHECK(ledger.books({}).balance_cents == 1'050);
    CHECK(conserved(ledger));
}

TEST_CASE("bank: another question under a used key, and one without a key, changes nothing") {
    Ledger ledger(":memory:");
    open_with(ledger, 10'000);
    const Receipt receipt = charge(ledger, "k1", kAnn);
    const std::string no = "this key was used for another question";
    CHECK(charge(ledger, "k1", {.customer_id = "ann", .amount_cents = 901}).declined == no);
    CHECK(charge(ledger, "k1", {.customer_id = "bob", .amount_cents = 900}).declined == no);
    const Refund back{.charge_id = receipt.charge_id, .amount_cents = 900};
    CHECK(refund(ledger, "k1", back).declined == no);
    CHECK(credit(ledger, "k1", {.customer_id = "ann", .amount_cents = 1}).declined == no);
    CHECK(charge(ledger, "", kAnn).declined != "");
    CHECK(refund(ledger, "", back).declined != "");
    CHECK(charge(ledger, std::string(kMostKeyBytes + 1, 'k'), kAnn).declined != "");
    CHECK(ledger.books({}).charges == 1);
    CHECK(conserved(ledger));
}

TEST_CASE("bank: declines what is no amount, no customer, no charge") {
    Ledger ledger(":memory:");
    const std::int64_t most = std::numeric_limits<std::int64_t>::max();
    const std::int64_t least = std::numeric_limits<std::int64_t>::min();
    open_with(ledger, 1'000);
    int key = 0;
    const auto charged = [&](std::string customer, std::int64_t cents) {
        return charge(ledger, std::to_string(++key),
                      {.customer_id = std::move(customer), .amount_cents = cents})
            .declined;
    };
    const auto refunded = [&](std::string id, std::int64_t cents) {
        return refund(ledger, std::to_string(++key),
                      {.charge_id = std::move(id), .amount_cents = cents})
            .declined;
    };
    for (const std::int64_t cents : {std::int64_t{0}, std::int64_t{-1}, least, most})
        CHECK(charged("ann", cents) != "");
    CHECK(charged("", 1) != "");
    CHECK(charged(std::string(kMostIdBytes + 1, 'a'), 1) != "");
    for (const char* id : {"", "C-", "C-1", "C-1x", "1", "C-99999999999999999999", "C--1"})
        CHECK(refunded(id, 100) == "there is no such charge");
    CHECK(charged("ann", 600) == "");
    for (const std::int64_t cents : {std::int64_t{599}, std::int64_t{601}, std::int64_t{-600}})
        CHECK(refunded("C-1", cents) == "a charge is refunded whole");
    CHECK(credit(ledger, "n", {.customer_id = "ann", .amount_cents = -1}).declined != "");
    CHECK(credit(ledger, "", {.amount_cents = -1}).declined != "");
    CHECK(conserved(ledger));
}

TEST_CASE("bank: no sum of its books overflows") {
    Ledger ledger(":memory:");
    const std::int64_t most = std::numeric_limits<std::int64_t>::max();
    const std::string full = "the bank's books are full";
    CHECK(credit(ledger, "c1", {.customer_id = "ann", .amount_cents = most}).declined == "");
    CHECK(credit(ledger, "c2", {.customer_id = "bob", .amount_cents = 1}).declined == full);
    open_with(ledger, 1);
    CHECK(charge(ledger, "k1", {.customer_id = "cay", .amount_cents = 1}).declined == full);
    const Receipt all = charge(ledger, "k2", {.customer_id = "ann", .amount_cents = most});
    CHECK(all.declined == "");
    CHECK(refund(ledger, "k3", {.charge_id = all.charge_id, .amount_cents = most}).declined == "");
    CHECK(charge(ledger, "k4", {.customer_id = "ann", .amount_cents = 1}).declined == full);
    CHECK(conserved(ledger));
}

TEST_CASE("bank: what throws in a batch leaves nothing of it") {
    Ledger ledger(":memory:");
    open_with(ledger, 1'000);
    CHECK_THROWS(ledger.write([&] {
        ledger.charge("k1", kAnn);
        throw saga::Error("the power failed");
    }));
    CHECK(ledger.books({}).charges == 0);
    CHECK(charge(ledger, "k1", kAnn).charge_id == "C-1");
    CHECK(conserved(ledger));
}

TEST_CASE("bank: its books come in pages") {
    Ledger ledger(":memory:");
    open_with(ledger, 1'000'000);
    ledger.write([&] {
        for (int i = 0; i < kPage + 5; ++i)
            ledger.charge(std::to_string(i), {.customer_id = "ann", .amount_cents = 1});
    });
    const BankBooks first = ledger.books({});
    CHECK(first.charges == kPage + 5);
    CHECK(first.page.size() == kPage);
    CHECK(saga::detail::verify<BankBooks>(saga::detail::pack(first)));
    const BankBooks rest = ledger.books({.after = first.page.back().number});
    CHECK(rest.page.size() == 5);
    CHECK(ledger.books({.after = rest.page.back().number}).page.empty());
}

TEST_CASE("bank: refuses a file that is open elsewhere, or is no ledger") {
    const Folder folder;
    const Ledger first(folder / "bank.db");
    CHECK_THROWS_WITH_AS(Ledger(folder / "bank.db"), doctest::Contains("another process has"),
                         saga::Error);
    std::ofstream(folder / "letter.db") << std::string(5'000, 'x');
    CHECK_THROWS_WITH_AS(Ledger(folder / "letter.db"), doctest::Contains("is no SQLite file"),
                         saga::Error);
    CHECK_THROWS_WITH_AS(Ledger(folder / "none/bank.db"), doctest::Contains("cannot open"),
                         saga::Error);
}

TEST_CASE("bank: misbehaves as it is told, and stays honest") {
    Ledger ledger(":memory:");
    Counter counter(ledger, 7);
    open_with(ledger, 1'000'000);
    std::vector<saga::Client::Asked<Charge>> asked;
    std::vector<std::string> keys;
    for (int i = 0; i < 200; ++i) keys.push_back(std::to_string(i));
    for (const std::string& key : keys)
        asked.push_back({key, {.customer_id = "ann", .amount_cents = 1}});
    const auto answers = [&] {
        const auto receipts = counter.charge(asked);
        return std::count_if(receipts.begin(), receipts.end(), [](const auto& receipt) {
            return receipt && receipt->declined == "";
        });
    };
    counter.set({.failure = 1.0});
    CHECK(answers() == 0);
    CHECK(ledger.books({}).charges == 0);
    counter.set({.failure = 0.0, .silence = 1.0});
    CHECK(answers() == 0);
    CHECK(ledger.books({}).charges == 200);
    counter.set({.decline = 1.0, .silence = 0.0});
    CHECK(answers() == 200);  // known before: declining is for what is new
    counter.set({.decline = 0.5});
    for (std::string& key : keys) key.insert(0, "x");
    for (std::size_t i = 0; i < keys.size(); ++i) asked[i].key = keys[i];
    const auto lucky = answers();
    CHECK(lucky > 50);
    CHECK(lucky < 150);
    CHECK(answers() == lucky);
    CHECK(ledger.books({}).charges == 200 + lucky);
    CHECK(conserved(ledger));
}

TEST_CASE("bank: its bad days are set while it is open") {
    Ledger ledger(":memory:");
    Counter counter(ledger, 7);
    CHECK(counter.set({.decline = 1.5}).refused != "");
    CHECK(counter.set({.latency_ms = 60'001}).refused != "");
    CHECK(counter.set({.latency_ms = 60'000, .silence = 0.25}).refused == "");
    CHECK(counter.set({}).latency_ms == 60'000);
    CHECK(counter.set({}).silence == 0.25);

    const auto begun = std::chrono::steady_clock::now();
    const std::vector<saga::Client::Asked<Charge>> asked{{"k1", kAnn}};
    std::jthread teller([&] { counter.charge(asked); });
    counter.set({.latency_ms = 0});  // for those who wait too
    teller.join();
    counter.set({.latency_ms = 60'000});
    counter.close();
    counter.charge(asked);
    CHECK(std::chrono::steady_clock::now() - begun < 30s);
}
